#include "client/pcapctl/session.h"

#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/pcapctl/context_file.h"
#include "client/pcapctl/explain_connection.h"
#include "client/pcapctl/pcap_id.h"

namespace pcap_client {
namespace {

const char* Environment(const char* name) { return std::getenv(name); }

// What each call carries; INVALID_ARGUMENT names the option that cannot work.
absl::StatusOr<CallOptions> CallOptionsOf(const Settings& settings) {
  CallOptions options;
  if (settings.api_token_file.empty()) return options;
  const absl::StatusOr<std::string> token = TokenFrom(settings.api_token_file);
  if (!token.ok()) return token.status();
  options.metadata.emplace_back("authorization", absl::StrCat("Bearer ", *token));
  return options;
}

// Of many calls that fail one explanation will do.
Console ConsoleOf(const Arguments& arguments, const ClientOptions& client) {
  const auto told = std::make_shared<std::optional<std::string>>();
  return {.out = Palette(WantsColour(arguments.colour, isatty(STDOUT_FILENO) == 1, Environment)),
          .err_is_terminal = isatty(STDERR_FILENO) == 1,
          .explain = [&client, told](CallError error) {
            if (!error.no_connection) return error;
            if (!told->has_value()) *told = Explained(error, client).message;
            error.message = **told;
            return error;
          }};
}

absl::StatusOr<std::string> AccountOf(const Settings& settings) {
  if (settings.account.empty()) return "";
  absl::StatusOr<std::string> account = FoldedId(settings.account);
  if (account.ok()) return account;
  return absl::InvalidArgumentError(absl::StrCat("--account: ", account.status().message()));
}

}  // namespace

SettingsOrExit SettingsOf(const Arguments& arguments) {
  const absl::StatusOr<Settings> context =
      SettingsOfContext(arguments.config, arguments.context, Environment);
  if (!context.ok()) return {.exit_code = FailUsage(context.status().message())};
  return {.settings = FirstOf(FirstOf(arguments.settings, *context), DefaultSettings())};
}

int WithSession(const Arguments& arguments, TimeoutIs timeout,
                const std::function<int(const Session&)>& command) {
  Arguments typed = arguments;
  if (timeout == TimeoutIs::kOfTheCommand) typed.settings.timeout.clear();
  const auto [settings, exit_code] = SettingsOf(typed);
  if (exit_code != 0) return exit_code;
  absl::StatusOr<ClientOptions> options = ClientOptionsFrom(settings);
  if (!options.ok()) return FailUsage(options.status().message());
  options->user_agent = "pcapctl/" PCAPCTL_VERSION;
  const auto client = PcapClient::Create(*options);
  if (!client.ok()) return FailUsage(absl::StrCat("--address: ", client.status().message()));
  const absl::StatusOr<CallOptions> call = CallOptionsOf(settings);
  if (!call.ok()) return FailUsage(call.status().message());
  const absl::StatusOr<std::string> account = AccountOf(settings);
  if (!account.ok()) return Fail(account.status());
  const Console console = ConsoleOf(arguments, *options);
  return command({.client = *client,
                  .options = *options,
                  .settings = settings,
                  .call = *call,
                  .account_id = *account,
                  .console = console});
}

}  // namespace pcap_client
