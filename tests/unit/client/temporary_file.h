// A file that goes with the test.
#ifndef PCAP_GATEWAY_TESTS_UNIT_CLIENT_TEMPORARY_FILE_H_
#define PCAP_GATEWAY_TESTS_UNIT_CLIENT_TEMPORARY_FILE_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace pcap_client {

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text)
      : path_(absl::StrCat(testing::TempDir(), "client_test.", getpid(), ".", ++count_)) {
    std::ofstream(path_) << text;
  }
  ~TemporaryFile() { unlink(path_.c_str()); }

  const std::string& path() const { return path_; }

 private:
  static inline int count_ = 0;

  const std::string path_;
};

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_TESTS_UNIT_CLIENT_TEMPORARY_FILE_H_
