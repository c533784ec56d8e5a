// Preloaded into a program under test: what the C library says of host names.
//
//   NAMES_HANG=NAME              looking it up never comes to an end
//   NAMES_SLOW=NAME              it takes one and a half seconds
//   NAMES_SEVERAL=NAME=A,B,…     its addresses, in this order
#include <dlfcn.h>
#include <netdb.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

using GetAddrInfo = int (*)(const char*, const char*, const addrinfo*, addrinfo**);

int Several(GetAddrInfo next, const std::string& addresses, const char* service,
            const addrinfo* hints, addrinfo** result) {
  addrinfo** end = result;
  size_t begin = 0;
  while (begin <= addresses.size()) {
    const size_t comma = std::min(addresses.find(',', begin), addresses.size());
    const std::string address = addresses.substr(begin, comma - begin);
    const int status = next(address.c_str(), service, hints, end);
    if (status != 0) return status;
    while (*end != nullptr) end = &(*end)->ai_next;
    begin = comma + 1;
  }
  return 0;
}

}  // namespace

extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints,
                           addrinfo** result) {
  static const auto next = reinterpret_cast<GetAddrInfo>(dlsym(RTLD_NEXT, "getaddrinfo"));
  const char* const hanging = std::getenv("NAMES_HANG");
  while (name != nullptr && hanging != nullptr && std::strcmp(name, hanging) == 0) pause();
  const char* const slow = std::getenv("NAMES_SLOW");
  if (name != nullptr && slow != nullptr && std::strcmp(name, slow) == 0) usleep(1'500'000);
  const char* const several = std::getenv("NAMES_SEVERAL");
  if (name != nullptr && several != nullptr) {
    const std::string described = several;
    const size_t equals = described.find('=');
    if (described.substr(0, equals) == name) {
      return Several(next, described.substr(equals + 1), service, hints, result);
    }
  }
  return next(name, service, hints, result);
}
