// `pcapctl buckets`: the buckets that full captures are written to, and the proof that they are the
// account's own.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_BUCKETS_COMMAND_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_BUCKETS_COMMAND_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/pcapctl/output_format.h"
#include "client/pcapctl/session.h"

namespace pcap_client {

struct WriteArguments {
  bool dry_run = false;  // print what would be sent, and send nothing
  OutputFormat output = OutputFormat::kTable;
};

// Each returns the exit code.

int ListBuckets(const Session& session, std::optional<absl::Duration> max_age, OutputFormat output);

// Prints the bucket, and on stderr what to do next.
int AddBucket(const Session& session, const std::string& destination_conf,
              const WriteArguments& arguments);

// `challenge`: what the file in the bucket says.
int ValidateBucket(const Session& session, const std::string& destination_conf,
                   const std::string& challenge, const WriteArguments& arguments);

// Asks at the terminal first, unless `yes`; prints the ids of those that are gone.
int RemoveBuckets(const Session& session, const std::vector<std::string>& ids, bool yes,
                  const WriteArguments& arguments);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_BUCKETS_COMMAND_H_
