#include "service/credential_check.h"

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "service/source/public_text.h"

namespace pcap_gateway {
namespace {

using nlohmann::json;

constexpr size_t kMostTold = 200;

HttpResult Ask(CurlClient& curl, const Options& options, const std::string& path) {
  HttpRequest request{.url = absl::StrCat(options.upstream_url, path),
                      .credential = options.service_credential,
                      .timeout = options.upstream_timeout,
                      .idempotent = true};
  absl::Notification over;
  HttpResult result;
  Ticket ticket;
  curl.Post([&] {
    ticket = curl.Send(std::move(request), [&](HttpResult its) {
      result = std::move(its);
      over.Notify();
    });
  });
  over.WaitForNotification();
  return result;
}

absl::Status Rejected(absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("--credential: Cloudflare does not accept the gateway's own: ", why));
}

// What the answer says of the credential.
absl::Status Judged(const HttpAnswer& answer) {
  const json body = json::parse(answer.body, nullptr, /*allow_exceptions=*/false);
  const bool envelope = body.is_object() && body.contains("success");
  if (!envelope || answer.status >= 500 || answer.status == 429) {
    return absl::UnavailableError(
        absl::StrCat("--upstream-url: the answer (HTTP ", answer.status,
                     ") does not say whether the credential is accepted"));
  }
  if (answer.status != 200 || body["success"] != true) {
    std::string why = absl::StrCat("HTTP ", answer.status);
    const json errors = body.value("errors", json::array());
    if (!errors.empty() && errors[0].is_object()) {
      const json message = errors[0].value("message", json());
      if (message.is_string()) {
        absl::StrAppend(&why, ", ", PublicText(message.get<std::string>(), kMostTold));
      }
    }
    return Rejected(why);
  }
  const json result = body.value("result", json());
  const json status = result.is_object() ? result.value("status", json()) : json();
  if (!status.is_string() || status == "active") return absl::OkStatus();
  return Rejected(absl::StrCat("the token is ", PublicText(status.get<std::string>(), kMostTold)));
}

}  // namespace

absl::Status CheckCredential(CurlClient& curl, const Options& options) {
  if (options.service_credential == nullptr) {
    return absl::InvalidArgumentError(
        "--check: with --credential=caller there is no credential to ask Cloudflare about");
  }
  // A token is one header line, an email and its key are two.
  const bool is_token = options.service_credential->header_lines().size() == 1;
  std::vector<std::string> paths = {is_token ? "/user/tokens/verify" : "/user"};
  if (is_token && options.default_account_id.has_value()) {
    paths.push_back(
        absl::StrCat("/accounts/", options.default_account_id->ToString(), "/tokens/verify"));
  }
  absl::Status status;
  for (const std::string& path : paths) {
    const HttpResult result = Ask(curl, options, path);
    if (const auto* failure = std::get_if<TransportFailure>(&result)) {
      std::string why = failure->detail;
      options.service_credential->RedactFrom(why);
      return absl::UnavailableError(absl::StrCat("--upstream-url: no answer came: ", why));
    }
    status = Judged(std::get<HttpAnswer>(result));
    if (status.ok() || !absl::IsInvalidArgument(status)) break;
  }
  if (status.ok()) return status;
  std::string message(status.message());
  options.service_credential->RedactFrom(message);
  return absl::Status(status.code(), message);
}

}  // namespace pcap_gateway
