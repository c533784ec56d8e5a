#include "service/access/published_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <thread>

namespace pcap_gateway {
namespace {

std::string ContentAt(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

time_t ModifiedAt(const std::string& path) {
  struct stat status{};
  EXPECT_EQ(stat(path.c_str(), &status), 0);
  return status.st_mtime;
}

TEST(PublishedFile, HoldsWhatWasPublishedLast) {
  const auto file = *PublishedFile::Create("test");
  EXPECT_EQ(ContentAt(file->path()), "");
  ASSERT_TRUE(file->Publish("one").ok());
  EXPECT_EQ(ContentAt(file->path()), "one");
  ASSERT_TRUE(file->Publish("").ok());
  EXPECT_EQ(ContentAt(file->path()), "");
}

TEST(PublishedFile, WhoHasItOpenGoesOnWithTheOldOne) {
  const auto file = *PublishedFile::Create("test");
  ASSERT_TRUE(file->Publish("old").ok());
  std::ifstream open(file->path());
  ASSERT_TRUE(file->Publish("new").ok());
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(open), {}), "old");
}

// gRPC reads a key and a certificate one after the other, and compares times in whole seconds.
TEST(PublishedFile, EachContentHasATimeOfItsOwn) {
  const auto file = *PublishedFile::Create("test");
  std::set<time_t> times;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(file->Publish("x").ok());
    times.insert(ModifiedAt(file->path()));
  }
  EXPECT_EQ(times.size(), 100u);
}

TEST(PublishedFile, NobodyEverReadsAHalf) {
  const auto file = *PublishedFile::Create("test");
  const std::string a(100'000, 'a');
  const std::string b(200'000, 'b');
  ASSERT_TRUE(file->Publish(a).ok());
  std::atomic<bool> ending{false};
  std::thread reader([&] {
    while (!ending) {
      const std::string seen = ContentAt(file->path());
      ASSERT_TRUE(seen == a || seen == b) << seen.size();
    }
  });
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(file->Publish(i % 2 == 0 ? b : a).ok());
  ending = true;
  reader.join();
}

}  // namespace
}  // namespace pcap_gateway
