// Preloaded into a program under test: what the system cannot give, or do.
//
//   SHORTAGE_THREADS=K    pthread_create fails from the K-th on; 0: while SHORTAGE_FILE exists
//   SHORTAGE_HANG=PATH    open() of it does not return while SHORTAGE_FILE exists
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstdarg>
#include <cstdlib>
#include <cstring>

namespace {

std::atomic<int> threads{0};

bool IsShort() {
  const char* const file = std::getenv("SHORTAGE_FILE");
  return file != nullptr && access(file, F_OK) == 0;
}

int Open(const char* path, int flags, int mode) {
  static auto* const next =
      reinterpret_cast<int (*)(const char*, int, ...)>(dlsym(RTLD_NEXT, "open"));
  const char* const hung = std::getenv("SHORTAGE_HANG");
  // Nothing tells that a file has gone.
  while (hung != nullptr && std::strcmp(hung, path) == 0 && IsShort()) usleep(10'000);
  return next(path, flags, mode);
}

}  // namespace

extern "C" {

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                   void* argument) noexcept {
  static auto* const next =
      reinterpret_cast<int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*)>(
          dlsym(RTLD_NEXT, "pthread_create"));
  if (const char* const most = std::getenv("SHORTAGE_THREADS")) {
    const int k = std::atoi(most);
    if (k > 0 ? ++threads >= k : IsShort()) return EAGAIN;
  }
  return next(thread, attributes, run, argument);
}

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const int mode = va_arg(arguments, int);
  va_end(arguments);
  return Open(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const int mode = va_arg(arguments, int);
  va_end(arguments);
  return Open(path, flags, mode);
}

}  // extern "C"
