// FailKth: makes one system call of the code under test fail, by its number.
//
//   CountThisThread();                                    // and those it starts from now on
//   FailKth("recv", 3, {.error = ECONNRESET});
//   ...                                                   // the third recv fails
//   EXPECT_GE(FailNone(), 3);                             // it was reached
//
// The functions are defined in the program itself (fail_kth.cc), before those of the libraries that
// it is linked with, so that libcurl calls them. That does what LD_PRELOAD does, and needs no order
// among preloaded libraries, which AddressSanitizer's would have to lead. libfiu's preload knows
// neither epoll nor getaddrinfo, both of which are on the way upstream.
#ifndef PCAP_GATEWAY_TESTS_TORTURE_FAIL_KTH_H_
#define PCAP_GATEWAY_TESTS_TORTURE_FAIL_KTH_H_

#include <string_view>

namespace pcap_gateway {

// What a call does instead of what it is asked for.
struct Fault {
  // It fails with this errno; getaddrinfo and pthread_create return it. 0: it does not fail, but
  // reads or writes one byte alone.
  int error = 0;
  // All later calls do the same.
  bool lasting = false;
};

// getaddrinfo answers this name with 127.0.0.1, without looking further. (libcurl never asks it for
// `localhost`.)
inline constexpr const char* kHostName = "upstream.test";

// Calls of this thread, and of the threads that it starts and these start, are counted from now on;
// those of others, such as the server's, or of threads that were counted before, are not.
void CountThisThread();
void CountThisThreadNoMore();

// Of the counted calls of `function` from now on, number `k`, the first being 1, meets `fault`.
// While no counted thread but the calling one runs. `function`: one of fail_kth.cc's; outlives it.
void FailKth(std::string_view function, int k, Fault fault);

// Lets all calls pass again, and tells how many of the function's were counted. Any time.
int FailNone();

// Waits until the counted threads that were started have ended, detached ones too. False: one did
// not within the patience of a test.
[[nodiscard]] bool AwaitCountedThreads();

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_TORTURE_FAIL_KTH_H_
