#include "service/credential_check.h"

#include <deque>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "service/source/public_text.h"

namespace pcap_gateway {
namespace {

using nlohmann::json;

constexpr size_t kMostTold = 200;

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

// One question under way, its requests one after the other.
class Asking : public std::enable_shared_from_this<Asking> {
 public:
  using Done = absl::AnyInvocable<void(absl::Status) &&>;

  Asking(HttpClient& client, CredentialQuestion question, Done done)
      : client_(client), question_(std::move(question)), done_(std::move(done)) {
    // A token is one header line, an email and its key are two.
    is_token_ = question_.credential->header_lines().size() == 1;
    paths_.emplace_back(is_token_ ? "/user/tokens/verify" : "/user");
    if (is_token_ && question_.default_account_id.has_value()) {
      paths_.push_back(
          absl::StrCat("/accounts/", question_.default_account_id->ToString(), "/tokens/verify"));
    }
  }

  void AskNext() {
    const std::string path = paths_.front();
    paths_.pop_front();
    client_.Send({.url = absl::StrCat(question_.base_url, path),
                  .credential = question_.credential,
                  .timeout = question_.timeout,
                  .idempotent = true},
                 [self = shared_from_this()](const HttpResult& result) { self->Hear(result); });
  }

 private:
  void Hear(const HttpResult& result) {
    const absl::Status status = Meaning(result);
    if (absl::IsInvalidArgument(status) && !paths_.empty()) return AskNext();
    std::string message(status.message());
    question_.credential->RedactFrom(message);
    if (absl::IsInvalidArgument(status) && is_token_ && !question_.default_account_id.has_value()) {
      absl::StrAppend(&message, " (if an account owns the token, --default-account-id is needed)");
    }
    std::move(done_)(absl::Status(status.code(), message));
  }

  static absl::Status Meaning(const HttpResult& result) {
    if (const auto* answer = std::get_if<HttpAnswer>(&result)) return Judged(*answer);
    const auto* failure = std::get_if<TransportFailure>(&result);
    return absl::UnavailableError(absl::StrCat("--upstream-url: no answer came: ",
                                               failure == nullptr ? "" : failure->detail));
  }

  HttpClient& client_;
  const CredentialQuestion question_;
  Done done_;
  bool is_token_ = false;
  std::deque<std::string> paths_;  // those that are still to be asked
};

}  // namespace

CredentialQuestion CredentialQuestionOf(const Options& options) {
  return {.base_url = options.upstream_url,
          .credential = options.service_credential,
          .default_account_id = options.default_account_id,
          .timeout = options.upstream_timeout};
}

void AskAboutCredential(HttpClient& client, CredentialQuestion question,
                        absl::AnyInvocable<void(absl::Status) &&> done) {
  std::make_shared<Asking>(client, std::move(question), std::move(done))->AskNext();
}

absl::Status CheckCredential(Loop& loop, HttpClient& client, const Options& options) {
  if (options.service_credential == nullptr) {
    return absl::InvalidArgumentError(
        "--check: with --credential=caller there is no credential to ask Cloudflare about");
  }
  std::promise<absl::Status> heard;
  loop.Post([&] {
    AskAboutCredential(client, CredentialQuestionOf(options),
                       [&](absl::Status status) { heard.set_value(std::move(status)); });
  });
  return heard.get_future().get();
}

}  // namespace pcap_gateway
