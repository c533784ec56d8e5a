#include "service/upstream/route.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace pcap_gateway {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const Route kDirect = {.upstream = {"api.example.com", "443"}, .addresses = {"192.0.2.1"}};
const Route kProxied = {.upstream = {"api.example.com", "443"},
                        .proxy = {"127.0.0.1", "3128"},
                        .addresses = {"127.0.0.1"}};

TEST(HostPortOf, ReadsWhereAUrlLeads) {
  struct Row {
    std::string url;
    std::string host;
    std::string port;
  };
  for (const Row& row :
       {Row{"https://api.example.com", "api.example.com", "443"},
        Row{"HTTPS://api.example.com/v4", "api.example.com", "443"},
        Row{"http://127.0.0.1:8080/v4", "127.0.0.1", "8080"},
        Row{"http://[::1]:8080", "::1", "8080"}, Row{"http://[::1]", "::1", "80"},
        Row{"socks5h://proxy/", "proxy", "80"}, Row{"http://user:pass@proxy:3128", "proxy", "3128"},
        Row{"http://user:p/s?s#@w@proxy:3128/", "proxy", "3128"}}) {
    EXPECT_EQ(HostPortOf(row.url, "80").host, row.host) << row.url;
    EXPECT_EQ(HostPortOf(row.url, "80").port, row.port) << row.url;
  }
}

TEST(ForOperators, TellsTheWholeRouteAndTheWords) {
  EXPECT_EQ(ForOperators("Connection refused", kDirect),
            "api.example.com port 443, directly, at 192.0.2.1: Connection refused");
  EXPECT_EQ(ForOperators("Connection refused", kProxied),
            "api.example.com port 443, through the proxy 127.0.0.1 port 3128, at 127.0.0.1: "
            "Connection refused");
  EXPECT_EQ(ForOperators("x", {.upstream = {"a", "1"}, .addresses = {"::1", "127.0.0.1"}}),
            "a port 1, directly, at ::1, 127.0.0.1: x");
  EXPECT_EQ(ForOperators("x", {.upstream = {"a", "1"}}), "a port 1, directly: x");
}

TEST(ForCallers, HidesHostsPortsAndAddresses) {
  struct Row {
    std::string words;
    std::string shown;
  };
  for (const Row& row : {
           Row{"Failed to connect to api.example.com port 443 after 3 ms: Couldn't connect",
               "Failed to connect to the upstream after 3 ms: Couldn't connect"},
           Row{"Failed to connect to 127.0.0.1 port 3128 after 3 ms: Couldn't connect",
               "Failed to connect to the proxy after 3 ms: Couldn't connect"},
           Row{"Could not resolve host: API.example.com", "Could not resolve host: the upstream"},
           Row{"OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to api.example.com:443 ",
               "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to the upstream"},
           Row{"no alternative name matches target host name 'api.example.com'",
               "no alternative name matches target host name 'the upstream'"},
           Row{"connect to 10.1.2.3 port 443 failed", "connect to an address failed"},
           Row{"connect to 10.1.2.3:443.", "connect to an address."},
           Row{"connect to [2001:db8::1]:443", "connect to an address"},
           Row{"connect to 2001:db8::1 port 443", "connect to an address"},
           Row{"connect to fe80::1%eth0: no", "connect to an address: no"},
           // What only looks like one.
           Row{"error:0A00010B:SSL routines::wrong version number",
               "error:0A00010B:SSL routines::wrong version number"},
           Row{"error 10:12:30, HTTP/1.1, at 1.5 s... :: -",
               "error 10:12:30, HTTP/1.1, at 1.5 s... :: -"},
           Row{"a port of api.example.community", "a port of api.example.community"},
       }) {
    EXPECT_EQ(ForCallers(row.words, kProxied), row.shown);
  }
  // Where both are one machine the port tells which.
  const Route one_machine = {.upstream = {"127.0.0.1", "80"}, .proxy = {"127.0.0.1", "3128"}};
  EXPECT_EQ(ForCallers("to 127.0.0.1 port 80 and 127.0.0.1:3128", one_machine),
            "to the upstream and the proxy");
}

TEST(ForCallers, IsCleanAndBoundedWhateverTheWordsAre) {
  const std::string hostile =
      "\x1B[31m\xFF<b>no</b> http://u:s3cr3t@h/ password=s3cr3t " + std::string(100'000, 'x');
  for (const std::string& text : {ForCallers(hostile, kDirect), ForOperators(hostile, kDirect)}) {
    EXPECT_LT(text.size(), 400u);
    EXPECT_THAT(text, AllOf(HasSubstr("no"), Not(HasSubstr("s3cr3t")), Not(HasSubstr("\x1B")),
                            Not(HasSubstr("\xFF")), Not(HasSubstr("<b>"))));
  }
  for (const std::string words : {"", ".", ":", "..", "[", "]:", ":::", " port ", "a port "}) {
    ForCallers(words, kDirect);
    ForCallers(words, Route());
  }
}

}  // namespace
}  // namespace pcap_gateway
