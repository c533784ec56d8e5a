#include "service/base/burst.h"

#include <cstddef>
#include <utility>

namespace pcap_gateway {
namespace {

thread_local Burst* current = nullptr;

}  // namespace

Burst::Burst() { current = this; }

Burst::~Burst() {
  // By number, and the task taken out, as a task may add others.
  for (size_t i = 0; i < tasks_.size(); ++i) {
    Task task = std::move(tasks_[i]);
    std::move(task)();
  }
  current = nullptr;
}

void Burst::AtEnd(Task task) {
  if (current == nullptr) {
    std::move(task)();
  } else {
    current->tasks_.push_back(std::move(task));
  }
}

}  // namespace pcap_gateway
