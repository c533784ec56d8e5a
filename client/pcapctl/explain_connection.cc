#include "client/pcapctl/explain_connection.h"

#include <curl/curl.h>

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace pcap_client {
namespace {

constexpr long kPatienceMs = 2'000;

enum class Speaks { kTls, kPlaintext, kNotKnown };

// What `target`, HOST:PORT, says to a TLS handshake.
Speaks Ask(const std::string& target) {
  const std::unique_ptr<CURL, void (*)(CURL*)> easy(curl_easy_init(), &curl_easy_cleanup);
  char why[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(easy.get(), CURLOPT_URL, absl::StrCat("https://", target).c_str());
  curl_easy_setopt(easy.get(), CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(easy.get(), CURLOPT_CONNECT_ONLY, 1L);
  curl_easy_setopt(easy.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(easy.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy.get(), CURLOPT_TIMEOUT_MS, kPatienceMs);
  curl_easy_setopt(easy.get(), CURLOPT_ERRORBUFFER, why);
  // Who it is does not matter: nothing is sent.
  curl_easy_setopt(easy.get(), CURLOPT_SSL_VERIFYPEER, 0L);
  curl_easy_setopt(easy.get(), CURLOPT_SSL_VERIFYHOST, 0L);
  switch (curl_easy_perform(easy.get())) {
    case CURLE_OK:
      return Speaks::kTls;
    case CURLE_SSL_CONNECT_ERROR:
      // OpenSSL's word for an answer that is no TLS record.
      return absl::StrContains(why, "wrong version number") ? Speaks::kPlaintext
                                                            : Speaks::kNotKnown;
    default:
      return Speaks::kNotKnown;
  }
}

}  // namespace

CallError Explained(CallError error, const ClientOptions& options) {
  if (!error.no_connection || absl::StartsWith(options.target, "unix:")) return error;
  const Speaks speaks = Ask(options.target);
  if (speaks == Speaks::kTls && !options.tls.has_value()) {
    error.message = absl::StrCat("the gateway at ", options.target, " speaks TLS: try --tls");
  } else if (speaks == Speaks::kPlaintext && options.tls.has_value()) {
    error.message =
        absl::StrCat("the gateway at ", options.target, " does not speak TLS: try --no-tls");
  }
  return error;
}

}  // namespace pcap_client
