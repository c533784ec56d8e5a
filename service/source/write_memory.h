// WriteMemory: what the replicas of the gateway remember together of writes that have a name (a
// request_id), so that none of them sends what another one has sent.
//
//   memory.Claim(write, [&](WriteMemory::Known known) {
//     if (known.kind == WriteMemory::Known::Kind::kOurs) Send(write);
//   });
//   memory.Keep(write);                        // now and then, while it is under way
//   memory.End(write, outcome, [](bool) {});   // once it is over
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_WRITE_MEMORY_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_WRITE_MEMORY_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "service/source/credential.h"
#include "service/source/id.h"
#include "service/source/outcome.h"

namespace pcap_gateway {

// How long an ended write is remembered.
inline constexpr absl::Duration kWriteRemembered = absl::Minutes(10);
// How often Keep has to be called at least, for the others to believe that its replica is there.
inline constexpr absl::Duration kWriteKeepEvery = absl::Seconds(3);

// A write with a name.
struct NamedWrite {
  std::shared_ptr<const Credential> credential;
  Id account;
  uint8_t endpoint = 0;
  std::string name;
  // Stands for what it writes, of which it shows nothing.
  std::array<uint8_t, 32> content{};
};

// The loop's thread only.
class WriteMemory {
 public:
  struct Known {
    enum class Kind {
      kOurs,          // claimed: this replica is to send it
      kOthers,        // another replica has claimed it, and is there
      kEnded,         // `outcome` says how it ended
      kOtherContent,  // the name stands for another content
      kFree,          // whoever had claimed it has not sent it
      kLost,          // whoever had claimed it is gone: it may have been sent
      kLate,          // no word in time; it may be asked again
      kAway,          // the memory cannot be asked
    };
    Kind kind = Kind::kAway;
    OutcomePtr outcome = nullptr;  // with kEnded; not null then
  };
  using Done = absl::AnyInvocable<void(Known) &&>;

  virtual ~WriteMemory() = default;

  // Claims the write, unless there is more to know of it. Claiming twice is as claiming once.
  // `done` runs once, perhaps before this returns; so does that of the others.
  virtual void Claim(const NamedWrite& write, Done done) = 0;

  // The same without claiming it: not kOurs.
  virtual void Look(const NamedWrite& write, Done done) = 0;

  // The claimed write is still under way.
  virtual void Keep(const NamedWrite& write) = 0;

  // It has ended with `outcome`; null: it was not sent. An outcome that changed nothing is told to
  // those who wait for it, and not remembered. `done`: whether the memory took it.
  virtual void End(const NamedWrite& write, OutcomePtr outcome,
                   absl::AnyInvocable<void(bool) &&> done) = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_WRITE_MEMORY_H_
