// RedisServer: a real redis-server for a test, on a socket in a folder of its own, that can be
// killed, restarted, stopped for a while and filled up.
#ifndef PCAP_GATEWAY_TESTS_SUPPORT_REDIS_SERVER_H_
#define PCAP_GATEWAY_TESTS_SUPPORT_REDIS_SERVER_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace pcap_gateway {

class RedisServer {
 public:
  // Runs, and answers, when this returns. `settings`: as on redis-server's command line.
  explicit RedisServer(std::vector<std::string> settings = {});
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  std::string url() const { return "unix://" + socket(); }
  std::string socket() const { return folder_ + "/redis.sock"; }

  // With SIGKILL; what it held is lost.
  void Kill();
  // After Kill.
  void Start();
  // SIGSTOP: connections stand, nothing is answered. Continue ends that.
  void Pause();
  void Continue();

  // What redis-cli says to this command. The server must answer.
  std::string Cli(const std::vector<std::string>& arguments) const;

 private:
  const std::vector<std::string> settings_;
  std::string folder_;
  pid_t pid_ = 0;  // 0: does not run
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_SUPPORT_REDIS_SERVER_H_
