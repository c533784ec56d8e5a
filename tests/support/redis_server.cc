#include "tests/support/redis_server.h"

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <utility>

namespace pcap_gateway {
namespace {

using Context = std::unique_ptr<redisContext, void (*)(redisContext*)>;

Context ConnectTo(const std::string& socket) {
  return {redisConnectUnixWithTimeout(socket.c_str(), {.tv_sec = 5, .tv_usec = 0}), &redisFree};
}

std::string TextOf(const redisReply& reply) {
  switch (reply.type) {
    case REDIS_REPLY_INTEGER:
      return std::to_string(reply.integer);
    case REDIS_REPLY_ARRAY: {
      std::string lines;
      for (size_t i = 0; i < reply.elements; ++i) lines += TextOf(*reply.element[i]) + "\n";
      return lines;
    }
    case REDIS_REPLY_NIL:
      return "(nil)";
    default:
      return std::string(reply.str, reply.len);
  }
}

}  // namespace

RedisServer::RedisServer(std::vector<std::string> settings) : settings_(std::move(settings)) {
  std::string name = "/tmp/redis-test-XXXXXX";  // short: a socket's path has 107 bytes
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
  folder_ = name;
  Start();
}

RedisServer::~RedisServer() {
  Kill();
  std::filesystem::remove_all(folder_);
}

void RedisServer::Start() {
  std::vector<std::string> words = {"redis-server", "--port", "0",    "--unixsocket",
                                    socket(),       "--save", "",     "--appendonly",
                                    "no",           "--dir",  folder_};
  words.insert(words.end(), settings_.begin(), settings_.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int log[2];
  if (pipe2(log, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    dup2(log[1], 1);
    dup2(log[1], 2);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  close(log[1]);
  // What it logs later goes nowhere.
  const std::unique_ptr<FILE, int (*)(FILE*)> lines(fdopen(log[0], "r"), &fclose);
  std::string said;
  char line[512];
  while (fgets(line, sizeof(line), lines.get()) != nullptr) {
    said += line;
    if (said.find("eady to accept connections") != std::string::npos) return;
  }
  throw std::runtime_error("redis-server does not start: " + said);
}

void RedisServer::Kill() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void RedisServer::Pause() {
  kill(pid_, SIGSTOP);
  waitpid(pid_, nullptr, WUNTRACED);  // until it stands
}

void RedisServer::Continue() { kill(pid_, SIGCONT); }

std::string RedisServer::Cli(const std::vector<std::string>& arguments) const {
  const Context context = ConnectTo(socket());
  std::vector<const char*> texts;
  std::vector<size_t> sizes;
  for (const std::string& argument : arguments) {
    texts.push_back(argument.data());
    sizes.push_back(argument.size());
  }
  redisReply* const reply = static_cast<redisReply*>(
      redisCommandArgv(context.get(), static_cast<int>(texts.size()), texts.data(), sizes.data()));
  if (reply == nullptr) throw std::runtime_error("redis-server does not answer");
  const std::string text = TextOf(*reply);
  freeReplyObject(reply);
  return text;
}

}  // namespace pcap_gateway
