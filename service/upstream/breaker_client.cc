#include "service/upstream/breaker_client.h"

#include <utility>

namespace pcap_gateway {

using Kind = TransportFailure::Kind;
using State = CircuitBreaker::State;

Ticket BreakerClient::Send(HttpRequest request, Done done) {
  const Partition credential = request.credential->partition();
  const Leave leave = Ask(credential);
  if (leave.wait.has_value()) {
    stats_.withheld.Add();
    std::move(done)(Withheld{Withheld::Kind::kCircuitOpen, *leave.wait});
    return {};
  }
  if (request.sink != nullptr) {
    request.on_content.emplace_back([this, credential, leave](const HttpAnswer&) {
      Learn(credential, {.connections = Sign::kWell, .answers = Sign::kWell}, leave);
    });
  }
  return inner_.Send(std::move(request),
                     [this, credential, leave, done = std::move(done)](HttpResult result) mutable {
                       Ended(credential, leave, result);
                       std::move(done)(std::move(result));
                     });
}

void BreakerClient::Ended(const Partition& credential, const Leave& leave,
                          const HttpResult& result) {
  const auto* answer = std::get_if<HttpAnswer>(&result);
  if (!HasBegun(result)) {
    Learn(credential, SignsOf(result), leave);
    // To refuse takes less time.
    if (answer != nullptr && answer->status / 100 == 2) usual_.Add(answer->out);
  } else if (answer == nullptr) {
    Learn(credential, SignsOf(result), Leave());
  }
}

BreakerClient::Leave BreakerClient::Ask(const Partition& credential) {
  Leave leave;
  leave.wait = Ask(connections_, leave.probes_connections);
  if (leave.wait.has_value()) return leave;
  const auto circuit = answers_.find(credential);
  if (circuit == answers_.end()) return leave;
  leave.wait = Ask(circuit->second, leave.probes_answers);
  if (leave.wait.has_value()) Note(connections_, Sign::kNone, leave.probes_connections);
  return leave;
}

std::optional<absl::Duration> BreakerClient::Ask(CircuitBreaker& circuit, bool& is_probe) {
  const State before = circuit.state();
  const std::optional<absl::Duration> wait = circuit.Ask(clock_.Now());
  is_probe = before == State::kOpen && circuit.state() == State::kHalfOpen;
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
      if (HasBegun(result) || !usual_.IsOverdue(failure->out)) return {};
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

void BreakerClient::Learn(const Partition& credential, const Signs& signs, const Leave& leave) {
  Note(connections_, signs.connections, leave.probes_connections);
  LearnAnswer(credential, signs.answers, leave.probes_answers);
}

void BreakerClient::LearnAnswer(const Partition& credential, Sign sign, bool is_probe) {
  auto circuit = answers_.find(credential);
  if (circuit == answers_.end()) {
    if (sign != Sign::kUnwell) return;
    if (answers_.size() >= kMostCircuits) {
      Moved(answers_.begin()->second.state(), State::kClosed);
      answers_.erase(answers_.begin());
    }
    circuit = answers_.try_emplace(credential, policy_).first;
  }
  Note(circuit->second, sign, is_probe);
  if (sign == Sign::kWell) answers_.erase(circuit);
}

void BreakerClient::Note(CircuitBreaker& circuit, Sign sign, bool is_probe) {
  const State before = circuit.state();
  switch (sign) {
    case Sign::kWell:
      circuit.Succeeded();
      break;
    case Sign::kUnwell:
      circuit.Failed(clock_.Now());
      break;
    case Sign::kNone:
      if (is_probe) circuit.Abandoned();
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
