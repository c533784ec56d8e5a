#include "service/shared/redis_rehearsal.h"

#include "absl/strings/str_cat.h"
#include "service/shared/redis_names.h"
#include "service/shared/rehearsal_lua.h"  // made of rehearsal.lua

namespace pcap_gateway {
namespace {

// One of two nodes has all of them once in 65,000 times.
constexpr int kSlots = 16;

std::string Key(absl::string_view slot, absl::string_view what) {
  return absl::StrCat(kRedisPrefix, "{", slot, "}:", what);
}

}  // namespace

absl::string_view RehearsalScript() { return kRehearsalLua; }

std::vector<std::vector<std::string>> RedisRehearsal() {
  const std::string text = Key("rehearsal", "text");
  std::vector<std::vector<std::string>> commands = {
      {"SET", text, "", "NX", "PX", "1000"},
      {"GETRANGE", text, "0", "0"},
      {"DEL", text},
      {"TIME"},
      {"EVALSHA", std::string(40, '0'), "0"},
      {"EVAL", std::string(kRehearsalLua), "3", text, Key("rehearsal", "hash"),
       Key("rehearsal", "sorted")},
  };
  for (int slot = 0; slot < kSlots; ++slot) {
    commands.push_back({"GETRANGE", Key(absl::StrCat(slot), "slot"), "0", "0"});
  }
  return commands;
}

}  // namespace pcap_gateway
