// Mutex: the standard library's, as a capability that clang checks (-Wthread-safety, by
// tests/lint).
//
//   Mutex mutex_;
//   int64_t count_ ABSL_GUARDED_BY(mutex_) = 0;
//   void Add() { const Lock lock(mutex_); ++count_; }   // without the lock, lint fails
//   void AddHeld() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { ++count_; }
//
// Not absl::Mutex: ThreadSanitizer cannot see into Debian's build of it.
#ifndef PCAP_GATEWAY_SERVICE_BASE_MUTEX_H_
#define PCAP_GATEWAY_SERVICE_BASE_MUTEX_H_

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "absl/base/thread_annotations.h"

namespace pcap_gateway {

// Taken by Lock alone.
class ABSL_LOCKABLE Mutex {
 private:
  friend class Lock;
  std::mutex mutex_;
};

// Holds the mutex until its end, except between Unlock and Relock.
class ABSL_SCOPED_LOCKABLE Lock {
 public:
  explicit Lock(Mutex& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : lock_(mutex.mutex_) {}
  ~Lock() ABSL_UNLOCK_FUNCTION() = default;
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  void Unlock() ABSL_UNLOCK_FUNCTION() { lock_.unlock(); }
  void Relock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { lock_.lock(); }

 private:
  friend class Condition;
  std::unique_lock<std::mutex> lock_;
};

// What those who hold a mutex wait for. A predicate says which mutex it needs:
// `[this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return over_; }`.
class Condition {
 public:
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

  // Lets go of the mutex while it waits; may return for no reason.
  void Wait(Lock& lock) { condition_.wait(lock.lock_); }

  // Until `predicate` is true.
  template <typename Predicate>
  void Wait(Lock& lock, Predicate predicate) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    condition_.wait(lock.lock_, std::move(predicate));
  }

  // The same for `longest` at most. False: it is not true.
  template <typename Rep, typename Period, typename Predicate>
  bool WaitFor(Lock& lock, std::chrono::duration<Rep, Period> longest,
               Predicate predicate) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return condition_.wait_for(lock.lock_, longest, std::move(predicate));
  }

 private:
  std::condition_variable condition_;
};

// Many readers or one writer.
class ABSL_LOCKABLE SharedMutex {
 private:
  friend class ReadLock;
  friend class WriteLock;
  std::shared_mutex mutex_;
};

class ABSL_SCOPED_LOCKABLE ReadLock {
 public:
  explicit ReadLock(SharedMutex& mutex) ABSL_SHARED_LOCK_FUNCTION(mutex) : lock_(mutex.mutex_) {}
  ~ReadLock() ABSL_UNLOCK_FUNCTION() = default;
  ReadLock(const ReadLock&) = delete;
  ReadLock& operator=(const ReadLock&) = delete;

 private:
  std::shared_lock<std::shared_mutex> lock_;
};

class ABSL_SCOPED_LOCKABLE WriteLock {
 public:
  explicit WriteLock(SharedMutex& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex)
      : lock_(mutex.mutex_) {}
  ~WriteLock() ABSL_UNLOCK_FUNCTION() = default;
  WriteLock(const WriteLock&) = delete;
  WriteLock& operator=(const WriteLock&) = delete;

 private:
  std::unique_lock<std::shared_mutex> lock_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_BASE_MUTEX_H_
