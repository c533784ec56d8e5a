#include "service/upstream/breaker_client.h"

#include <utility>

namespace pcap_gateway {

using Kind = TransportFailure::Kind;
using State = CircuitBreaker::State;

Ticket BreakerClient::Send(HttpRequest request, Done done) {
  const Partition credential = request.credential->partition();
  if (const std::optional<absl::Duration> wait = Ask(credential)) {
    stats_.withheld.Add();
    std::move(done)(Withheld{Withheld::Kind::kCircuitOpen, *wait});
    return {};
  }
  const bool has_sink = request.sink != nullptr;
  if (has_sink) {
    request.on_content.emplace_back([this, credential](const HttpAnswer&) {
      Learn(credential, {.connections = Sign::kWell, .answers = Sign::kWell});
    });
  }
  return inner_.Send(std::move(request), [this, credential, has_sink,
                                          done = std::move(done)](HttpResult result) mutable {
    Learn(credential, SignsOf(result));
    // To refuse takes less time, and a sink may take any.
    const auto* answer = std::get_if<HttpAnswer>(&result);
    if (answer != nullptr && answer->status / 100 == 2 && !has_sink) usual_.Add(answer->out);
    std::move(done)(std::move(result));
  });
}

// Leave of both circuits; absent: granted.
std::optional<absl::Duration> BreakerClient::Ask(const Partition& credential) {
  std::optional<absl::Duration> wait = Ask(connections_);
  if (wait.has_value()) return wait;
  const auto circuit = answers_.find(credential);
  if (circuit == answers_.end()) return std::nullopt;
  wait = Ask(circuit->second);
  // Were it the probe of the connections: it is not sent.
  if (wait.has_value()) Note(connections_, Sign::kNone);
  return wait;
}

std::optional<absl::Duration> BreakerClient::Ask(CircuitBreaker& circuit) {
  const State before = circuit.state();
  const std::optional<absl::Duration> wait = circuit.Ask(clock_.Now());
  Moved(before, circuit.state());
  return wait;
}

// A 4xx is the word of an upstream that is well; what we withheld says nothing.
BreakerClient::Signs BreakerClient::SignsOf(const HttpResult& result) const {
  if (const auto* answer = std::get_if<HttpAnswer>(&result)) {
    return {.connections = Sign::kWell,
            .answers = answer->status >= 500 ? Sign::kUnwell : Sign::kWell};
  }
  const auto* failure = std::get_if<TransportFailure>(&result);
  if (failure == nullptr) return {};
  switch (failure->kind) {
    case Kind::kResolve:
    case Kind::kConnect:
    case Kind::kTls:
    case Kind::kBroken:
      return {.connections = Sign::kUnwell};
    case Kind::kStalled:
      return {.answers = Sign::kUnwell};
    case Kind::kTimeout:
    case Kind::kCancelled:
      // With a body that has begun it is the reader who takes long.
      if (failure->sunk_bytes > 0 || !usual_.IsOverdue(failure->out)) return {};
      if (failure->sendings == 0) return {.connections = Sign::kUnwell};
      return {.answers = Sign::kUnwell};
    case Kind::kMalformed:
    case Kind::kTooLarge:
    case Kind::kStopped:
    case Kind::kOwnLimits:
      return {};
  }
  return {};
}

void BreakerClient::Learn(const Partition& credential, const Signs& signs) {
  Note(connections_, signs.connections);
  LearnAnswer(credential, signs.answers);
}

void BreakerClient::LearnAnswer(const Partition& credential, Sign sign) {
  auto circuit = answers_.find(credential);
  if (circuit == answers_.end()) {
    if (sign != Sign::kUnwell) return;
    if (answers_.size() >= kMostCircuits) {
      Moved(answers_.begin()->second.state(), State::kClosed);
      answers_.erase(answers_.begin());
    }
    circuit = answers_.try_emplace(credential, policy_).first;
  }
  Note(circuit->second, sign);
  if (sign == Sign::kWell) answers_.erase(circuit);
}

void BreakerClient::Note(CircuitBreaker& circuit, Sign sign) {
  const State before = circuit.state();
  switch (sign) {
    case Sign::kWell:
      circuit.Succeeded();
      break;
    case Sign::kUnwell:
      circuit.Failed(clock_.Now());
      break;
    case Sign::kNone:
      circuit.Abandoned();
      break;
  }
  Moved(before, circuit.state());
}

void BreakerClient::Moved(State from, State to) {
  --circuits_in_state_[static_cast<size_t>(from)];
  ++circuits_in_state_[static_cast<size_t>(to)];
  // Those that are closed are not counted right, nor looked at.
  int worst = static_cast<int>(State::kOpen);
  while (worst > 0 && circuits_in_state_[static_cast<size_t>(worst)] <= 0) --worst;
  stats_.state = worst;
}

}  // namespace pcap_gateway
