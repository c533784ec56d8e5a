#include "service/access/watched_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace pcap_gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class WatchedFilesTest : public testing::Test {
 protected:
  WatchedFilesTest() {
    Write("key", "1");
    Write("certificate", "1");
  }
  ~WatchedFilesTest() override { std::filesystem::remove_all(folder_); }

  static std::string NewFolder() {
    std::string pattern = testing::TempDir() + "watched.XXXXXX";
    return mkdtemp(pattern.data());
  }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  void Write(const std::string& name, const std::string& content) {
    std::ofstream(Path(name)) << content;
  }

  // What was taken, and what was told, since the last look.
  std::vector<std::string> taken_;
  std::vector<std::string> told_;

  const std::string folder_ = NewFolder();
  // A pair is of use when both say the same.
  WatchedFiles files_{{{"pair", Path("key")}, {"other-of-pair", Path("certificate")}},
                      100,
                      [this](const std::vector<std::string>& contents) {
                        if (contents[0] != contents[1]) {
                          return absl::InvalidArgumentError("they do not fit");
                        }
                        taken_.push_back(contents[0]);
                        return absl::OkStatus();
                      },
                      [this](bool, const std::string& line) { told_.push_back(line); }};
};

TEST_F(WatchedFilesTest, AreTakenAtTheStart) {
  EXPECT_TRUE(files_.Load().ok());
  EXPECT_THAT(taken_, ElementsAre("1"));
}

TEST_F(WatchedFilesTest, ThatAreOfNoUseAtTheStartAreAnError) {
  Write("key", "2");
  EXPECT_EQ(files_.Load(), absl::InvalidArgumentError("--pair: they do not fit"));
  Write("key", std::string(101, 'x'));
  EXPECT_EQ(files_.Load(),
            absl::InvalidArgumentError(absl::StrCat("--pair: is too large (", Path("key"), ")")));
  std::filesystem::remove(Path("key"));
  EXPECT_EQ(files_.Load(),
            absl::NotFoundError(absl::StrCat("--pair: cannot be read: No such file or directory (",
                                             Path("key"), ")")));
}

TEST_F(WatchedFilesTest, TheOneThatIsMissingIsNamedByItsOwnOption) {
  std::filesystem::remove(Path("certificate"));
  EXPECT_EQ(files_.Load(), absl::NotFoundError(absl::StrCat(
                               "--other-of-pair: cannot be read: No such file or directory (",
                               Path("certificate"), ")")));
}

TEST_F(WatchedFilesTest, AreTakenAgainOnlyWhenTheyHoldSomethingElse) {
  ASSERT_TRUE(files_.Load().ok());
  Write("key", "1");  // touched
  files_.Look(WatchedFiles::Patience::kNone);
  EXPECT_THAT(taken_, ElementsAre("1"));
  EXPECT_THAT(told_, IsEmpty());
  Write("key", "2");
  Write("certificate", "2");
  files_.Look(WatchedFiles::Patience::kSettled);
  EXPECT_THAT(taken_, ElementsAre("1", "2"));
  EXPECT_THAT(told_, ElementsAre("--pair: reloaded"));
  EXPECT_EQ(files_.stats().reloaded.Value(), 1u);
}

TEST_F(WatchedFilesTest, ThatAreHalfReplacedGetTimeForTheOtherHalf) {
  ASSERT_TRUE(files_.Load().ok());
  Write("key", "2");
  files_.Look(WatchedFiles::Patience::kSettled);
  EXPECT_THAT(told_, IsEmpty());
  Write("certificate", "2");
  files_.Look(WatchedFiles::Patience::kSettled);
  EXPECT_THAT(taken_, ElementsAre("1", "2"));
  EXPECT_EQ(files_.stats().refused.Value(), 0u);
}

TEST_F(WatchedFilesTest, ThatStayOfNoUseAreToldOnce) {
  ASSERT_TRUE(files_.Load().ok());
  Write("key", "2");
  for (int i = 0; i < 4; ++i) files_.Look(WatchedFiles::Patience::kSettled);
  EXPECT_THAT(told_, ElementsAre("--pair: the new file is of no use, the old one is kept: they do "
                                 "not fit"));
  EXPECT_THAT(taken_, ElementsAre("1"));
  EXPECT_EQ(files_.stats().refused.Value(), 1u);
}

TEST_F(WatchedFilesTest, AreToldOfAtOnceWhenSomebodyAsks) {
  ASSERT_TRUE(files_.Load().ok());
  Write("key", "2");
  files_.Look(WatchedFiles::Patience::kSettled);
  files_.Look(WatchedFiles::Patience::kNone);
  EXPECT_EQ(told_.size(), 1u);
}

TEST_F(WatchedFilesTest, ThatAreGoneAreKeptAsTheyWere) {
  ASSERT_TRUE(files_.Load().ok());
  std::filesystem::remove(Path("key"));
  for (int i = 0; i < 3; ++i) files_.Look(WatchedFiles::Patience::kNone);
  EXPECT_THAT(told_,
              ElementsAre(absl::StrCat("--pair: the new file is of no use, the old one is kept: "
                                       "cannot be read: No such file or directory (",
                                       Path("key"), ")")));
  Write("key", "1");
  files_.Look(WatchedFiles::Patience::kNone);
  EXPECT_EQ(told_.size(), 2u);
}

// As Kubernetes replaces the files of a volume.
TEST_F(WatchedFilesTest, BehindALinkThatIsSwappedAreNoticed) {
  std::filesystem::create_directories(Path("a"));
  std::filesystem::create_directories(Path("b"));
  Write("a/f", "a");
  Write("b/f", "b");
  std::filesystem::create_directory_symlink("a", Path("data"));
  WatchedFiles files(
      {{"f", Path("data/f")}}, 100,
      [this](const std::vector<std::string>& contents) {
        taken_.push_back(contents[0]);
        return absl::OkStatus();
      },
      [](bool, const std::string&) {});
  ASSERT_TRUE(files.Load().ok());
  std::filesystem::create_directory_symlink("b", Path("fresh"));
  std::filesystem::rename(Path("fresh"), Path("data"));
  files.Look(WatchedFiles::Patience::kSettled);
  EXPECT_THAT(taken_, ElementsAre("a", "b"));
}

}  // namespace
}  // namespace pcap_gateway
