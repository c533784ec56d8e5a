// Histogram: counts durations by size on hot paths, as Counter counts events.
//
//   Histogram durations({absl::Milliseconds(1), absl::Seconds(1)});
//   durations.Observe(absl::Milliseconds(3));
//   HistogramSnapshot now = durations.Snapshot();
#ifndef PCAP_GATEWAY_SERVICE_BASE_HISTOGRAM_H_
#define PCAP_GATEWAY_SERVICE_BASE_HISTOGRAM_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "absl/time/time.h"
#include "service/base/counter.h"

namespace pcap_gateway {

// As Prometheus has it.
struct HistogramSnapshot {
  std::vector<double> bounds;    // seconds, ascending; the last bucket's, infinity, left out
  std::vector<uint64_t> counts;  // of each bound and of infinity: durations in its bucket alone
  double sum = 0;                // seconds

  // Adds what another histogram of the same bounds has. An empty one, without bounds, may be added
  // to.
  void Add(const HistogramSnapshot& other) {
    if (bounds.empty()) bounds = other.bounds;
    counts.resize(std::max(counts.size(), other.counts.size()));
    for (size_t i = 0; i < other.counts.size(); ++i) counts[i] += other.counts[i];
    sum += other.sum;
  }
};

// Thread-safe: two relaxed additions to cells that the thread rarely shares.
class Histogram {
 public:
  static constexpr size_t kMostBounds = 19;

  // At most kMostBounds, ascending, more than 0. A duration falls into the first bucket whose bound
  // is not less.
  Histogram(std::initializer_list<absl::Duration> bounds) {
    for (const absl::Duration bound : bounds) bounds_[size_++] = absl::ToInt64Nanoseconds(bound);
  }

  void Observe(absl::Duration duration) {
    const int64_t nanoseconds =
        std::max<int64_t>(0, absl::ToInt64Nanoseconds(duration));  // a century fits
    size_t bucket = 0;
    while (bucket < size_ && nanoseconds > bounds_[bucket]) ++bucket;
    Cell& cell = cells_[Counter::CellOfThisThread()];
    cell.counts[bucket].fetch_add(1, std::memory_order_relaxed);
    cell.nanoseconds.fetch_add(static_cast<uint64_t>(nanoseconds), std::memory_order_relaxed);
  }

  HistogramSnapshot Snapshot() const {
    HistogramSnapshot snapshot;
    snapshot.counts.resize(size_ + 1);
    for (size_t i = 0; i < size_; ++i) {
      snapshot.bounds.push_back(static_cast<double>(bounds_[i]) / 1e9);
    }
    uint64_t nanoseconds = 0;
    for (const Cell& cell : cells_) {
      nanoseconds += cell.nanoseconds.load(std::memory_order_relaxed);
      for (size_t i = 0; i <= size_; ++i) {
        snapshot.counts[i] += cell.counts[i].load(std::memory_order_relaxed);
      }
    }
    snapshot.sum = static_cast<double>(nanoseconds) / 1e9;
    return snapshot;
  }

 private:
  struct alignas(64) Cell {
    std::array<std::atomic<uint64_t>, kMostBounds + 1> counts{};
    std::atomic<uint64_t> nanoseconds{0};
  };

  std::array<int64_t, kMostBounds> bounds_{};
  size_t size_ = 0;
  std::array<Cell, Counter::kCells> cells_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_BASE_HISTOGRAM_H_
