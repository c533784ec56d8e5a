#include "service/access/access_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string>

#include "absl/time/clock.h"
#include "tests/support/fake_clock.h"
#include "tests/support/self_signed.h"

namespace pcap_gateway {
namespace {

using testing::HasSubstr;

constexpr char kAllowAll[] = R"({"name":"p","allow_rules":[{"name":"all"}]})";
constexpr char kAllowNone[] =
    R"({"name":"p","allow_rules":[{"name":"n","request":{"paths":["/"]}}]})";

class AccessFilesTest : public testing::Test {
 protected:
  AccessFilesTest() {
    std::string pattern = testing::TempDir() + "access.XXXXXX";
    folder_ = mkdtemp(pattern.data());
    Write("cert", identity_.certificate);
    Write("key", identity_.private_key);
    Write("policy", kAllowAll);
  }
  ~AccessFilesTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  void Write(const std::string& name, const std::string& content) {
    std::ofstream(Path("fresh")) << content;
    std::filesystem::rename(Path("fresh"), Path(name));
  }

  absl::StatusOr<std::unique_ptr<AccessFiles>> Load(absl::Duration interval = absl::Hours(1)) {
    return AccessFiles::Load({.tls_cert_file = Path("cert"),
                              .tls_key_file = Path("key"),
                              .policy_file = Path("policy"),
                              .interval = interval},
                             clock_, [this](bool, const std::string& line) {
                               const std::lock_guard lock(mutex_);
                               told_.push_back(line);
                               came_.notify_all();
                             });
  }

  // Waits for a line that has `part` in it.
  bool AwaitTold(const std::string& part) {
    std::unique_lock lock(mutex_);
    return came_.wait_for(lock, std::chrono::seconds(20), [&] {
      return std::any_of(told_.begin(), told_.end(), [&](const std::string& line) {
        return line.find(part) != std::string::npos;
      });
    });
  }

  static bool Permits(const AccessFiles& files) {
    const auto none = [](absl::string_view) { return std::vector<absl::string_view>(); };
    return files.policy().Get()->Permits({.principals = {}, .path = "/x", .header = none});
  }

  static std::string ContentAt(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const SelfSigned identity_{"localhost"};
  FakeClock clock_{absl::Now()};
  std::string folder_;
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<std::string> told_;
};

TEST_F(AccessFilesTest, PublishKeyAndCertificateInOneFile) {
  const auto files = *Load();
  EXPECT_EQ(ContentAt(files->identity_path()), identity_.private_key + identity_.certificate);
  EXPECT_EQ(files->authorities_path(), "");
  EXPECT_TRUE(files->not_after().has_value());
}

TEST_F(AccessFilesTest, AreNoneWhereNoneAreNamed) {
  const auto files = *AccessFiles::Load({}, clock_, nullptr);
  EXPECT_EQ(files->identity_path(), "");
  EXPECT_EQ(files->policy().Get(), nullptr);
  EXPECT_FALSE(files->not_after().has_value());
  files->Watch();
  files->LookNow();
}

TEST_F(AccessFilesTest, NameTheOptionThatCannotWork) {
  Write("key", "");
  EXPECT_THAT(Load().status().message(), HasSubstr("--tls-cert-file: the key file"));
  Write("key", identity_.private_key);
  Write("policy", "{");
  EXPECT_THAT(Load().status().message(), HasSubstr("--policy-file: it is not JSON"));
}

TEST_F(AccessFilesTest, AreOfNoUseOnceTheCertificateHasExpired) {
  clock_.Advance(absl::Hours(2));
  EXPECT_THAT(Load().status().message(), HasSubstr("expired"));
}

TEST_F(AccessFilesTest, AreWatchedByThemselves) {
  const auto files = *Load(absl::Milliseconds(1));
  files->Watch();
  EXPECT_TRUE(Permits(*files));
  Write("policy", kAllowNone);
  ASSERT_TRUE(AwaitTold("--policy-file: reloaded"));
  EXPECT_FALSE(Permits(*files));
  Write("policy", "");
  ASSERT_TRUE(AwaitTold("--policy-file: the new file is of no use"));
  EXPECT_FALSE(Permits(*files));
}

TEST_F(AccessFilesTest, KeepAPairThatFitsWhileItIsReplaced) {
  const auto files = *Load();
  const SelfSigned fresh("localhost");
  Write("cert", fresh.certificate);
  files->LookNow();
  EXPECT_EQ(ContentAt(files->identity_path()), identity_.private_key + identity_.certificate);
  Write("key", fresh.private_key);
  files->LookNow();
  EXPECT_EQ(ContentAt(files->identity_path()), fresh.private_key + fresh.certificate);
}

TEST_F(AccessFilesTest, TakeFilesOfOthersToo) {
  const auto files = *Load();
  Write("token", "one");
  std::string token;
  ASSERT_TRUE(files
                  ->Add("api-token-file", Path("token"), 100,
                        [&](const std::vector<std::string>& contents) {
                          token = contents[0];
                          return absl::OkStatus();
                        })
                  .ok());
  Write("token", "two");
  files->LookNow();
  EXPECT_EQ(token, "two");
  std::vector<std::string> names;
  for (const auto& [name, stats] : files->stats()) names.push_back(name);
  EXPECT_THAT(names, testing::ElementsAre("tls-cert-file", "policy-file", "api-token-file"));
}

}  // namespace
}  // namespace pcap_gateway
