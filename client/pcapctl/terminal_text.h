// Makes a text that came from elsewhere safe to show on a terminal.
//
//   TerminalText("ok\x1b[2J") == R"(ok\x1b[2J)"
//
// On a terminal that is text, and does not clear the screen.
//
// Captures carry texts that strangers may have written (an error message, a bucket's name, a field
// of tomorrow's API). On a terminal, control characters in them could repaint or hide lines, set
// the window's title, or type into the shell.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_TERMINAL_TEXT_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_TERMINAL_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace pcap_client {

// `text` in one line of valid UTF-8 that only prints. \n, \r, \t, \xHH (control bytes, and bytes
// that are not UTF-8) and \u{HHHH} (C1 controls, line separators, and those that reorder or hide
// text) take the place of what does more. A backslash stays as it is, so this cannot be undone:
// programs read --json.
std::string TerminalText(absl::string_view text);

enum class Escapes { kJson, kYaml };

// `text`, which is JSON or YAML whose texts stand between double quotes, with the same characters
// as escapes that its parsers read back; line breaks and tabs stay. Bytes that are not UTF-8 become
// U+FFFD.
std::string EscapedText(absl::string_view text, Escapes escapes);

// How many code points `text`, which is valid UTF-8, has: its width, near enough.
size_t CodePoints(absl::string_view text);

// As much of `text`, which is valid UTF-8, as fits into `columns`; an ellipsis ends what was cut.
// A character of East Asia, or from U+2E80 on, counts as two columns.
std::string CutToColumns(absl::string_view text, size_t columns);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_TERMINAL_TEXT_H_
