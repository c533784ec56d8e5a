// Counter: counts events on hot paths. Threads add to cells of their own cache lines, so that
// counting rarely makes two cores wait for each other; reading adds the cells up.
#ifndef PCAP_GATEWAY_SERVICE_BASE_COUNTER_H_
#define PCAP_GATEWAY_SERVICE_BASE_COUNTER_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace pcap_gateway {

// Thread-safe. Only ever grows.
class Counter {
 public:
  void Add(uint64_t n = 1) {
    cells_[CellOfThisThread()].value.fetch_add(n, std::memory_order_relaxed);
  }

  // Never less than what was added before the call began.
  uint64_t Value() const {
    uint64_t sum = 0;
    for (const Cell& cell : cells_) sum += cell.value.load(std::memory_order_relaxed);
    return sum;
  }

  static constexpr size_t kCells = 8;

  // The same for all that one thread counts; 0 to kCells - 1.
  static size_t CellOfThisThread() {
    static std::atomic<size_t> next{0};
    thread_local const size_t cell = next.fetch_add(1, std::memory_order_relaxed) % kCells;
    return cell;
  }

 private:
  struct alignas(64) Cell {
    std::atomic<uint64_t> value{0};
  };

  std::array<Cell, kCells> cells_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_BASE_COUNTER_H_
