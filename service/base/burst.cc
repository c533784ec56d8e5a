#include "service/base/burst.h"

#include <utility>

namespace pcap_gateway {
namespace {

thread_local Burst* current = nullptr;

}  // namespace

Burst::Burst() { current = this; }

Burst::~Burst() {
  current = nullptr;
  for (Task& task : tasks_) std::move(task)();
}

void Burst::AtEnd(Task task) {
  if (current == nullptr) {
    std::move(task)();
  } else {
    current->tasks_.push_back(std::move(task));
  }
}

}  // namespace pcap_gateway
