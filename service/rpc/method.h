// Method: one RPC as gRPC's edge sees it, and the list of all that are answered from a source. What
// is registered with gRPC, counted, logged and checked against the policy comes from that list.
//
// A new RPC is a row in method.cc and an Endpoint (a file in endpoints/).
#ifndef PCAP_GATEWAY_SERVICE_RPC_METHOD_H_
#define PCAP_GATEWAY_SERVICE_RPC_METHOD_H_

#include <cstddef>
#include <memory>
#include <optional>

#include "absl/types/span.h"
#include "service/source/error.h"
#include "service/source/query.h"

namespace grpc {
class ByteBuffer;
}

namespace pcap_gateway {

// What the service knows for callers who do not say it.
struct CallDefaults {
  std::optional<Id> account_id;
};

class Feed;
class Outlet;
class Source;
class Watches;

// What a feed is made of. All but the query outlive it.
struct FeedParts {
  Outlet& outlet;
  Source& source;
  Watches* watches;  // null where nobody watches: in tests of other things
  const Query& query;
};

// What an operator has to allow before a method may be called by anybody (--allow).
enum class Permission { kNone, kWrite, kDownload };

struct Allowed {
  bool write = false;
  bool download = false;

  bool Has(Permission permission) const {
    if (permission == Permission::kWrite) return write;
    return permission == Permission::kNone || download;
  }
};

// Lives for the whole process, as a row of Methods().
struct Method {
  const char* path;  // as in HTTP/2: "/pcap.v1.PcapService/GetPcap"
  // So many calls of it can come to a queue at once without waiting for its thread to ask for
  // another. Each costs some KiB, and Debian's gRPC looks at all that were asked for with each
  // event, so this is for methods that come in floods.
  int ahead = 4;
  // Fills in what the request says of the query: endpoint, ids, max_age, and of a write its body
  // and write_id; or says what is wrong with it.
  std::optional<Error> (*read)(const grpc::ByteBuffer& request, const CallDefaults& defaults,
                               Query& query);
  Permission permission = Permission::kNone;
  // Makes what a stream of answers brings. Null: there is one answer, which the source gives.
  std::unique_ptr<Feed> (*feed)(const FeedParts& parts) = nullptr;
};

// All of them, each path once. The place in it is the method's number where they are counted.
absl::Span<const Method> Methods();
size_t NumberOf(const Method& method);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_METHOD_H_
