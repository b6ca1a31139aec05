#include "handoff/datagrams.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

#include "linux/sockets/group_key.h"
#include "linux/steering/bpf_program.h"

namespace graced {

namespace {

// How long nothing must have waited: what was read last is answered by then, and a processor that was about to
// put another one there has done so.
constexpr Duration empty_for = 10ms;
constexpr Duration between_looks = 2ms;

// How long before the drain signal flows are let go, of a worker that goes on being heard: a quarter of its
// time at most.
constexpr Duration before_signal = 100ms;

// What could not be directed, for want of descriptors perhaps, is tried again after that.
constexpr Duration between_tries = 1s;

}  // namespace

void Datagrams::steer_by(const SteeringProbe& probe, Rules rules) {
  if (flows_) return flows_->time_out_after(rules.flow_timeout);
  if (probe.method == SteeringMethod::none) return;
  flows_.emplace(probe.method, rules.flows, rules.flow_timeout);
  if (probe.method == SteeringMethod::cbpf && rules.flows > 0) {
    to_be_told_ =
        "UDP: flows cannot be remembered without CAP_BPF, so at a reload all that comes goes to the new "
        "generation "
        "at once (--udp-flows off asks for that)";
  }
}

void Datagrams::opened(GenerationId generation, std::vector<std::shared_ptr<Listener>> listeners) {
  if (!flows_ || listeners.empty()) return;
  for (const auto& l : listeners) {
    // An earlier graced may have left a program there.
    if (!serving_) detach_choice(l->fd());
    flows_->join(datagram_key(l->fd()), l->fd(), l->inode());
  }
  passed_[generation] = std::move(listeners);
}

const std::vector<std::shared_ptr<Listener>>& Datagrams::passed(GenerationId generation) const {
  static const std::vector<std::shared_ptr<Listener>> none;
  const auto found = passed_.find(generation);
  return found == passed_.end() ? none : found->second;
}

bool Datagrams::takes(const std::string& key, bool ready) const {
  if (!flows_) return false;
  // One that is closed to be bound again.
  return !ready || flows_->has_key(key);
}

void Datagrams::bound(WorkerId worker, GenerationId generation, const std::string& key, int fd, ino_t inode) {
  if (!flows_ || bound_.contains(inode)) return;
  // One of --listen, in the place of its own.
  if (flows_->has(inode)) return;
  flows_->join(key, fd, inode);
  bound_.emplace(inode, Bound{worker, generation, key});
  if (gets_new(bound_.at(inode))) direct(key);
}

void Datagrams::keep_only(const std::set<ino_t>& bound) {
  if (std::erase_if(bound_, [&](const auto& b) {
        if (bound.contains(b.first)) return false;
        if (const auto heard = flows_->heard(b.first)) past_[b.second.generation] += heard->datagrams;
        return true;
      }) > 0)
    close_unheld();
}

void Datagrams::close_unheld() {
  if (!flows_) return;
  std::set<ino_t> held;
  for (const auto& [inode, bound] : bound_) held.insert(inode);
  for (const auto& [generation, listeners] : passed_) {
    for (const auto& l : listeners) held.insert(l->inode());
  }
  if (callbacks_.closes && flows_->has_others(held)) callbacks_.closes();
  try {
    flows_->keep_only(held);
  } catch (const std::exception& e) { callbacks_.note(fmt::format("UDP: {}", e.what())); }
}

void Datagrams::switch_to(GenerationId generation) {
  serving_ = generation;
  emptying_.erase(generation);
  beside_.reset();
  joined_.clear();
  direct_all();
}

void Datagrams::join(GenerationId candidate, std::set<WorkerId> joined) {
  beside_ = candidate;
  joined_ = std::move(joined);
  direct_all();
}

void Datagrams::leave_out(GenerationId candidate) {
  if (beside_ != candidate) return;
  beside_.reset();
  joined_.clear();
  direct_all();
}

void Datagrams::direct_all() {
  if (!flows_ || !serving_) return;
  std::set<std::string> keys;
  for (const auto& [inode, bound] : bound_) keys.insert(bound.key);
  for (const auto& l : passed(*serving_)) keys.insert(datagram_key(l->fd()));
  for (const std::string& key : keys) direct(key);
}

void Datagrams::drop(GenerationId generation) {
  emptying_.erase(generation);
  past_.erase(generation);
  if (passed_.erase(generation) > 0) close_unheld();
}

bool Datagrams::gets_new(const Bound& bound) const {
  return !leaving_.contains(bound.worker) && (bound.generation == serving_ || joined_.contains(bound.worker));
}

std::set<ino_t> Datagrams::chosen_of(const std::string& key) const {
  std::set<ino_t> chosen;
  if (!serving_) return chosen;
  for (const auto& [inode, bound] : bound_) {
    if (bound.key == key && gets_new(bound)) chosen.insert(inode);
  }
  for (const auto& l : passed(*serving_)) {
    if (datagram_key(l->fd()) == key) chosen.insert(l->inode());
  }
  return chosen;
}

// To what the serving generation has of this address. Nothing of it: to whom it went before.
void Datagrams::direct(const std::string& key) {
  if (left_alone_.contains(key)) return;
  bool directed = true;
  const std::string unknown = flows_->why_not();
  try {
    flows_->direct(key, chosen_of(key));
  } catch (const std::system_error& e) {
    directed = false;
    not_directed(key, e);
  }
  if (directed) tries_.erase(key);
  for (const auto& l : passed(*serving_)) {
    if (datagram_key(l->fd()) == key) l->set_directed(directed);
  }
  if (flows_->why_not() != unknown) to_be_told_ = fmt::format("UDP: {}", flows_->why_not());
  if (!to_be_told_.empty()) callbacks_.note(std::exchange(to_be_told_, ""));
}

void Datagrams::not_directed(const std::string& key, const std::system_error& why) {
  if (why.code() == std::errc::device_or_resource_busy) {
    left_alone_.insert(key);
    tries_.erase(key);
    return callbacks_.note(
        fmt::format("{} is steered by a program of the server's own, and left to that", key));
  }
  const bool first = tries_.insert_or_assign(key, monotonic_now() + between_tries).second;
  if (first)
    callbacks_.note(fmt::format("{}: what comes goes where it went before: {}, retrying every {}", key,
                                why.what(), to_rough_text(between_tries)));
  look_soon();
}

void Datagrams::try_again(Instant now) {
  std::vector<std::string> due;
  for (const auto& [key, when] : tries_) {
    if (when <= now) due.push_back(key);
  }
  for (const std::string& key : due) direct(key);
}

std::vector<ino_t> Datagrams::sockets_of(WorkerId worker, GenerationId generation) const {
  std::vector<ino_t> found;
  for (const auto& [inode, bound] : bound_) {
    if (bound.worker == worker) found.push_back(inode);
  }
  add_passed(found, generation);
  return found;
}

std::vector<ino_t> Datagrams::sockets_of(GenerationId generation) const {
  std::vector<ino_t> found;
  for (const auto& [inode, bound] : bound_) {
    if (bound.generation == generation) found.push_back(inode);
  }
  add_passed(found, generation);
  return found;
}

// Where a candidate came in batches it shares those of the generation before.
void Datagrams::add_passed(std::vector<ino_t>& sockets, GenerationId generation) const {
  if (generation == serving_) return;
  const auto& serving = passed(*serving_);
  for (const auto& l : passed(generation)) {
    if (std::ranges::find(serving, l) == serving.end()) sockets.push_back(l->inode());
  }
}

bool Datagrams::retire(WorkerId worker, GenerationId generation) {
  leaving_.insert(worker);
  // Nobody follows, so there is nobody to whom its flows could go.
  if (!flows_ || !serving_ || (generation == *serving_ && !beside_)) return false;
  if (sockets_of(worker, generation).empty()) return false;
  const Instant now = monotonic_now();
  retired_.insert_or_assign(worker, Retired{.generation = generation, .since = now, .next_look = now});
  look_soon();
  return true;
}

void Datagrams::leaves_by(WorkerId worker, Instant when) {
  const auto r = retired_.find(worker);
  if (r == retired_.end() || r->second.told == when) return;
  r->second.told = when;
  r->second.next_look = std::min(r->second.next_look, monotonic_now());
  look_soon();
}

void Datagrams::told_to_leave(WorkerId worker) {
  leaving_.insert(worker);
  retired_.erase(worker);
}

void Datagrams::gone(WorkerId worker) {
  leaving_.erase(worker);
  retired_.erase(worker);
}

bool Datagrams::let_go(GenerationId generation) {
  if (!flows_ || generation == serving_) return false;
  std::vector<ino_t> sockets = sockets_of(generation);
  if (sockets.empty()) return false;
  for (const ino_t inode : sockets) flows_->let_flows_go(inode);
  emptying_.insert_or_assign(generation, Emptying{std::move(sockets)});
  look_soon();
  return true;
}

void Datagrams::look() {
  const Instant now = monotonic_now();
  try_again(now);
  std::vector<WorkerId> idle;
  for (auto& [worker, retired] : retired_) {
    if (retired.next_look <= now && look_at(worker, retired, now)) idle.push_back(worker);
  }
  std::vector<GenerationId> emptied;
  for (auto& [generation, emptying] : emptying_) {
    if (is_empty(emptying, now)) emptied.push_back(generation);
  }
  // Who hears of one may forget others.
  for (const WorkerId worker : idle) {
    if (retired_.erase(worker) > 0) callbacks_.idle(worker);
  }
  for (const GenerationId generation : emptied) {
    if (emptying_.erase(generation) > 0) callbacks_.emptied(generation);
  }
  look_soon();
}

// True once it has nothing to hear any more. Only one number is asked for, however many flows there are.
bool Datagrams::look_at(WorkerId worker, Retired& retired, Instant now) {
  if (!retired.last) {
    const std::vector<ino_t> sockets = sockets_of(worker, retired.generation);
    const Instant heard = last_heard(sockets).value_or(Instant{});
    const Instant quiet = heard == Instant{} ? now : after(heard, flows_->timeout());
    const Duration patience = std::min<Duration>(before_signal, (retired.told - retired.since) / 4);
    const Instant last = retired.told == no_deadline ? no_deadline : retired.told - patience;
    if (now < quiet && now < last) {
      retired.next_look = std::min(quiet, last);
      return false;
    }
    for (const ino_t inode : sockets) flows_->let_flows_go(inode);
    retired.last = Emptying{sockets};
  }
  retired.next_look = now + between_looks;
  return is_empty(*retired.last, now);
}

bool Datagrams::is_empty(Emptying& emptying, Instant now) const {
  if (std::ranges::any_of(emptying.sockets, [&](ino_t s) { return flows_->anything_waits(s); })) {
    emptying.empty_since.reset();
    return false;
  }
  if (!emptying.empty_since) emptying.empty_since = now;
  return now - *emptying.empty_since >= empty_for;
}

// nullopt: it is not remembered, or none was.
std::optional<Instant> Datagrams::last_heard(const std::vector<ino_t>& sockets) const {
  std::optional<Instant> last;
  if (!flows_->remembers()) return last;
  for (const ino_t inode : sockets) {
    const auto heard = flows_->heard(inode);
    if (heard && heard->datagrams > 0) last = std::max(last.value_or(Instant{}), heard->last);
  }
  return last;
}

void Datagrams::look_soon() {
  Instant next = no_deadline;
  for (const auto& [worker, retired] : retired_) next = std::min(next, retired.next_look);
  for (const auto& [key, when] : tries_) next = std::min(next, when);
  if (!emptying_.empty()) next = std::min(next, monotonic_now() + between_looks);
  if (next == no_deadline && !timer_) return;
  if (!timer_) timer_ = loop_.timer([this] { look(); });
  timer_.fire_at(next);
}

std::string Datagrams::waits_for(WorkerId worker) const {
  const auto r = retired_.find(worker);
  if (r == retired_.end()) return "";
  if (r->second.last) return "datagrams queued";
  const auto heard = last_heard(sockets_of(worker, r->second.generation));
  return heard ? fmt::format("UDP flows, heard {} ago", to_rough_text(monotonic_now() - *heard)) : "UDP flows";
}

std::map<GenerationId, Datagrams::Traffic> Datagrams::traffic() const {
  std::map<GenerationId, Traffic> found;
  if (!flows_) return found;
  std::map<ino_t, std::uint64_t> flows;
  try {
    flows = flows_->count_flows();
  } catch (const std::system_error&) {}  // Linux before 5.6
  const auto add = [&](GenerationId generation, ino_t inode) {
    const auto heard = flows_->heard(inode);
    if (!heard) return;
    Traffic& traffic = found.try_emplace(generation, Traffic{}).first->second;
    traffic.datagrams += heard->datagrams;
    if (const auto f = flows.find(inode); f != flows.end()) traffic.flows += f->second;
  };
  for (const auto& [inode, bound] : bound_) add(bound.generation, inode);
  for (const auto& [generation, listeners] : passed_) {
    for (const auto& l : listeners) add(generation, l->inode());
  }
  for (auto& [generation, traffic] : found) {
    if (const auto past = past_.find(generation); past != past_.end()) traffic.datagrams += past->second;
  }
  return found;
}

}  // namespace graced
