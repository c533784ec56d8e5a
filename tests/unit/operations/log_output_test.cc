#include "service/operations/log_output.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "service/operations/log.h"

namespace pcap_gateway {
namespace {

using testing::HasSubstr;

class FileOutputTest : public testing::Test {
 protected:
  FileOutputTest() { std::filesystem::create_directories(folder_); }
  ~FileOutputTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  std::string Content(const std::string& name) const {
    std::ifstream file(Path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // Of a file that can be opened.
  std::unique_ptr<FileOutput> Open(const std::string& name) const {
    auto output = FileOutput::Open(Path(name));
    EXPECT_TRUE(output.ok()) << output.status();
    return *std::move(output);
  }

 private:
  const std::string folder_ = testing::TempDir() + "log_output." + std::to_string(getpid());
};

TEST_F(FileOutputTest, AppendsToWhatIsThere) {
  std::ofstream(Path("log")) << "before\n";
  const auto output = Open("log");
  EXPECT_TRUE(output->Write("one\n"));
  EXPECT_TRUE(output->Write("two\n"));
  EXPECT_EQ(Content("log"), "before\none\ntwo\n");
}

TEST_F(FileOutputTest, IsNotForEverybodyToRead) {
  const mode_t usual = umask(0);
  const auto output = Open("log");
  umask(usual);
  struct stat found{};
  ASSERT_EQ(stat(Path("log").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0640u);
}

TEST_F(FileOutputTest, WhatCannotBeWrittenIsRefusedAtOnce) {
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  for (const std::string& path : {Path(""), Path("none/log"), Path("fifo"), std::string("/")}) {
    const auto output = FileOutput::Open(path);
    ASSERT_FALSE(output.ok()) << path;
    EXPECT_THAT(std::string(output.status().message()), HasSubstr("cannot be opened: "));
  }
}

TEST_F(FileOutputTest, ReopenedItGoesOnInANewFileAfterTheOldOneWasMoved) {
  const auto output = Open("log");
  output->Write("one\n");
  std::filesystem::rename(Path("log"), Path("log.1"));
  output->Write("two\n");
  ASSERT_TRUE(output->Reopen().ok());
  ASSERT_TRUE(output->Reopen().ok());  // twice before the next line
  output->Write("three\n");
  EXPECT_EQ(Content("log.1"), "one\ntwo\n");
  EXPECT_EQ(Content("log"), "three\n");
}

TEST_F(FileOutputTest, WhereItCannotBeReopenedItKeepsTheOldFile) {
  std::filesystem::create_directory(Path("folder"));
  const auto output = Open("folder/log");
  std::filesystem::rename(Path("folder"), Path("moved"));
  EXPECT_FALSE(output->Reopen().ok());
  EXPECT_TRUE(output->Write("line\n"));
  EXPECT_EQ(Content("moved/log"), "line\n");
}

TEST_F(FileOutputTest, AFullDiskTakesNothing) {
  const auto output = FileOutput::Open("/dev/full");
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_FALSE((*output)->Write("line\n"));
}

// The limit on a file's size stands in for a disk that is full within a line.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &usual_);
    const rlimit limit{bytes, usual_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &usual_);
    signal(SIGXFSZ, handler_);
  }

 private:
  const sighandler_t handler_;
  rlimit usual_{};
};

TEST_F(FileOutputTest, ALineThatTheDiskCutShortIsCompletedBeforeTheNext) {
  const auto output = Open("log");
  {
    const FullDisk disk(8);
    EXPECT_TRUE(output->Write("one\n"));
    EXPECT_TRUE(output->Write("second\n"));  // it will come whole
    EXPECT_FALSE(output->Write("lost\n"));
  }
  EXPECT_EQ(Content("log"), "one\nseco");
  EXPECT_TRUE(output->Write("four\n"));
  EXPECT_EQ(Content("log"), "one\nsecond\nfour\n");
}

TEST_F(FileOutputTest, TheRestOfACutLineDoesNotBeginANewFile) {
  const auto output = Open("log");
  {
    const FullDisk disk(4);
    EXPECT_TRUE(output->Write("first\n"));
  }
  std::filesystem::rename(Path("log"), Path("log.1"));
  ASSERT_TRUE(output->Reopen().ok());
  EXPECT_TRUE(output->Write("second\n"));
  EXPECT_EQ(Content("log.1"), "first\n");
  EXPECT_EQ(Content("log"), "second\n");
}

TEST_F(FileOutputTest, ALogSaysThatItsFileCannotBeReopened) {
  std::filesystem::create_directory(Path("folder"));
  {
    Log log({.redact = [](absl::string_view text) { return std::string(text); }},
            Open("folder/log"));
    std::filesystem::rename(Path("folder"), Path("moved"));
    EXPECT_FALSE(log.Reopen().ok());
  }
  EXPECT_THAT(Content("moved/log"), HasSubstr("the log file cannot be opened: "));
}

}  // namespace
}  // namespace pcap_gateway
