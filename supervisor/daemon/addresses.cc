#include "daemon/addresses.h"

#include <algorithm>
#include <utility>

#include "daemon/address_change.h"
#include "linux/base/duplicate.h"
#include "linux/proc/process.h"
#include "linux/sockets/listen_socket.h"

namespace graced {

namespace {

// A worker that is ready sooner than that shares its sockets with the one before: it answers its first client
// before graced has heard that it is ready, and a reload would take noticeably longer without.
constexpr Duration at_once = 5ms;

}  // namespace

Addresses::Addresses(Others others, std::string spare_place, std::vector<StoredDescriptor> stored,
                     SocketKeeper::Variables variables, Callbacks callbacks)
    : o_(others),
      spare_place_(std::move(spare_place)),
      keeper_(o_.manager, std::move(stored), std::move(variables)),
      sets_(set_callbacks()),
      handoff_(o_.loop, handoff_callbacks(std::move(callbacks))),
      settlements_(o_.loop, when_settled()),
      listener_watch_(o_.loop, when_shut(), when_reached()) {}

SocketSets::Callbacks Addresses::set_callbacks() {
  return {
      .closes = [this](const Listener& l) { listener_watch_.forget(l); },
      .tell_of_arrivals = [this](const Listener& l, bool tell) { listener_watch_.tell_of_arrivals(l, tell); }};
}

Handoff::Callbacks Addresses::handoff_callbacks(Callbacks callbacks) {
  return {.idle = [this](WorkerId w) { idle(w); },
          .changed = std::move(callbacks.changed),
          .note = std::move(callbacks.note),
          .held = [this] { store_adopted(); },
          .emptied =
              [this](GenerationId g) {
                if (!settlements_.is_settling(g)) o_.pump.happens(Settled{g});
              },
          .closes = std::move(callbacks.closes)};
}

std::function<void(GenerationId)> Addresses::when_settled() {
  return [this](GenerationId g) {
    if (!handoff_.datagrams().is_emptying(g)) o_.pump.happens(Settled{g});
  };
}

ListenerWatch::Teller Addresses::when_shut() {
  return [this](const Listener& listener, ListenerWatch::Outcome outcome, const std::string& why) {
    listener_shut(listener, outcome, why);
  };
}

std::function<void(const Listener&)> Addresses::when_reached() {
  return [this](const Listener& listener) { sets_.arrived(listener); };
}

void Addresses::attend() {
  attending_ = true;
  watch_listeners();
}

const Plan* Addresses::find_plan(GenerationId generation) const {
  const auto found = plans_.find(generation);
  return found == plans_.end() ? nullptr : &found->second;
}

const Plan* Addresses::serving_plan() const {
  return find_plan(o_.pump.status().serving.value_or(GenerationId{}));
}

bool Addresses::switches(const Plan& plan, const PassedSocket& socket) {
  return socket.switched || (plan.handoff.sets && !starts_at_once_ && sets_.switches(socket.listener));
}

SocketSets* Addresses::sets_for(GenerationId candidate, bool beside) {
  const GenerationId serving = *o_.pump.status().serving;
  handoff_.forget_closed();
  if (starts_at_once_ || beside) {
    sets_.share(candidate, serving);
    return nullptr;
  }
  sets_.prepare(candidate, serving);
  return &sets_;
}

const Plan& Addresses::add(GenerationId generation, Plan plan) {
  const Plan& added = plans_.insert_or_assign(generation, std::move(plan)).first->second;
  watch_listeners();
  return added;
}

void Addresses::open(GenerationId generation, HandoffCapabilities& capabilities) {
  const Plan& plan = plan_of(generation);
  for (const std::string& note : kept_waiting(plan))
    o_.log.warning({.generation = generation.value}, "{}", note);
  std::vector<Fd> adopted = keeper_.take_adopted(plan.handoff.adopt);
  open_datagrams(generation, plan, capabilities);
  if (!plan.handoff.switched) return;
  if (o_.pump.status().serving && comes_in_batches(plan.options.policy))
    handoff_.comes_in_batches(generation, plan.options.policy.workers);
  handoff_.steer_by(capabilities.steering());
  if (plan.handoff.adopt) handoff_.restore(std::move(adopted));
  std::vector<std::shared_ptr<Listener>> own;
  for (const PassedSocket& s : plan.sockets) {
    if (s.switched && s.listener->kind() == AddressKind::tcp) own.push_back(s.listener);
  }
  handoff_.opened(generation, std::move(own));
}

void Addresses::open_datagrams(GenerationId generation, const Plan& plan, HandoffCapabilities& capabilities) {
  if (!plan.handoff.datagrams && !plan.handoff.adopt) return;
  handoff_.datagrams().steer_by(capabilities.steering(),
                                {plan.options.udp_flows, plan.options.udp_flow_timeout});
  std::vector<std::shared_ptr<Listener>> own;
  for (const PassedSocket& s : plan.sockets) {
    if (s.switched && s.listener->kind() == AddressKind::udp) own.push_back(s.listener);
  }
  handoff_.datagrams().opened(generation, std::move(own));
}

void Addresses::take(const RunningServer& server, HandoffCapabilities& capabilities) {
  handoff_.take(server, capabilities.steering());
}

void Addresses::idle(WorkerId worker) {
  if (worker == taken_worker) return o_.pump.happens(TakenIdle{});
  o_.pump.happens(WorkerIdle{worker});
}

void Addresses::switch_to(GenerationId generation, std::optional<GenerationId> standby) {
  const Plan& plan = plans_.at(generation);
  sets_.switch_to(generation);
  // With many workers graced is busy starting the others when the first ones are ready.
  starts_at_once_ = quickest_start(generation) < at_once + plan.options.policy.workers * 250us;
  handoff_.switch_to(generation, standby);
  for (const std::string& complaint : show_addresses(plan)) o_.log.warning("{}", complaint);
  for (const auto& [other, before] : plans_) {
    if (other == generation || other == standby) continue;
    for (const std::string& complaint : refuse_gone_addresses(before, plan)) o_.log.warning("{}", complaint);
  }
  o_.log.set_level(plan.options.log_level);
  for (const ChangedSocket& s : plan.changed) {
    try {
      apply_options(*s.listener, s.options);
    } catch (const std::exception& e) { o_.log.warning("{}", e.what()); }
  }
  // Addresses that nobody needs any more are closed with their plan; draining workers keep theirs.
  // Who may be called back, and would find all of its addresses, needs its plan for that.
  const auto back = o_.pump.status().rollback_to;
  erase_plans([&](const auto& p) {
    return p.first != generation && p.first != standby && (p.first != back || any_is_gone(p.second, plan));
  });
  watch_listeners();
  listener_watch_.look_again();
  keeper_.store(plan.sockets);
  keeper_.restored().forget_taken();
}

std::string Addresses::join(const Join& join) {
  handoff_.join(join.candidate, join.replaced);
  return handoff_.bound_path(join.candidate);
}

template <class Unneeded>
void Addresses::erase_plans(Unneeded unneeded) {
  for (const auto& p : plans_) {
    if (unneeded(p)) give_up_if_empty(p.first);
  }
  std::erase_if(plans_, unneeded);
}

void Addresses::forget_who_is_told() {
  const Status& status = o_.pump.status();
  if (status.phase == Phase::stopping || status.phase == Phase::finished) return;
  const auto is_needed = [&](GenerationId g) {
    return g == status.serving || g == status.candidate || g == status.rollback_to;
  };
  if (std::ranges::all_of(plans_, [&](const auto& p) { return is_needed(p.first); })) return;
  erase_plans([&](const auto& p) { return !is_needed(p.first); });
  watch_listeners();
}

void Addresses::returns(const WorkerProcess& worker) {
  handoff_.returns(worker.id);
  settlements_.forget(worker.generation, worker.id);
}

std::string Addresses::closed_to(GenerationId generation) const {
  if (!plans_.contains(generation)) return "not all of its addresses are open any more";
  const std::string address = handoff_.closed_to(generation);
  return address.empty() ? "" : address + " is not its own any more";
}

void Addresses::proven(GenerationId standby) {
  const auto plan = plans_.find(standby);
  if (plan == plans_.end()) return;
  for (const std::string& complaint : refuse_gone_addresses(plan->second, *serving_plan()))
    o_.log.warning("{}", complaint);
  handoff_.nobody_stands_by();
  plans_.erase(plan);
  give_up_if_empty(standby);
  watch_listeners();
}

Duration Addresses::quickest_start(GenerationId generation) const {
  Duration quickest = infinity;
  for (const WorkerStatus& w : o_.pump.status().workers) {
    const WorkerProcess* process = o_.workers.find(w.worker);
    if (w.generation == generation && process) quickest = std::min(quickest, w.since - process->started);
  }
  return quickest;
}

void Addresses::drop(GenerationId candidate) {
  handoff_.leave_out(candidate);
  plans_.erase(candidate);
  give_up_if_empty(candidate);
  handoff_.drop(candidate);
  watch_listeners();
}

void Addresses::settle(GenerationId generation) {
  std::vector<Fd> adopted;
  std::vector<std::pair<WorkerId, pid_t>> workers;
  for (const WorkerProcess& w : o_.workers) {
    const WorkerStatus* status = o_.pump.status_of(w.id);
    if (w.generation != generation || !status || status->state != WorkerState::settling) continue;
    workers.emplace_back(w.id, w.pid);
    for (const int fd : handoff_.listening_sockets(w.id)) adopted.push_back(duplicate(fd));
  }
  for (const int fd : handoff_.opened_sockets(generation)) adopted.push_back(duplicate(fd));
  const Plan& plan = *serving_plan();
  ArrivalPlaces places(sets_.sockets_of(generation), std::move(adopted), static_cast<int>(plan.sockets.size()));
  const bool hears = handoff_.datagrams().let_go(generation);
  if (settlements_.begin(generation, workers, std::move(places), plan.options.policy.settle) && !hears)
    return o_.pump.post(Settled{generation});
  o_.log.debug({.generation = generation.value},
               "gets no new connections; it is told to leave when all who have just connected have been heard");
}

void Addresses::told_to_leave(const WorkerProcess& worker) {
  handoff_.told_to_leave(worker.id);
  settlements_.forget(worker.generation, worker.id);
}

// Is one of its generation's workers left that has not been told to leave?
void Addresses::has_been_told(const WorkerProcess& worker) {
  const bool all = std::ranges::none_of(o_.pump.status().workers, [&](const WorkerStatus& w) {
    return w.generation == worker.generation && w.state != WorkerState::draining &&
           w.state != WorkerState::killed;
  });
  if (all) sets_.told(worker.generation);
}

void Addresses::forgotten(const WorkerProcess& worker) {
  settlements_.forget(worker.generation, worker.id);
  give_up_if_empty(worker.generation);
}

void Addresses::reload_for_free_name() {
  const auto plan = plans_.find(o_.pump.status().serving.value_or(GenerationId{}));
  if (plan == plans_.end() || !plan->second.name_is_taken || o_.pump.status().candidate) return;
  if (std::ranges::any_of(o_.workers, [&](const WorkerProcess& w) { return w.generation != plan->first; }))
    return;
  plan->second.name_is_taken = false;  // whoever has it still is none of graced's
  o_.pump.happens(ReloadAsked{nobody});
}

void Addresses::give_up_if_empty(GenerationId generation) {
  const Status& status = o_.pump.status();
  const bool wanted = generation == status.serving || generation == status.candidate;
  if (wanted || o_.workers.count(generation) > 0) return;
  sets_.gone(generation);
  handoff_.datagrams().drop(generation);
}

void Addresses::keep_time_of_retired() {
  // At a stop nobody follows to whom flows that go on would go, so they are not waited for.
  const bool stops = o_.pump.status().phase == Phase::stopping;
  if (const auto& taken = o_.pump.status().taken; taken && handoff_.any_retired())
    handoff_.close_connections(taken_worker, {taken->drain_idle, taken->any_pause, taken->last_call});
  for (const WorkerStatus& w : o_.pump.status().workers) {
    if (w.state == WorkerState::retiring)
      handoff_.datagrams().leaves_by(w.worker, stops ? w.since : w.deadline);
    if (handoff_.any_retired()) handoff_.close_connections(w.worker, {w.drain_idle, w.any_pause, w.last_call});
  }
}

bool Addresses::is_followed() {
  return keeper_.is_followed(o_.pump.status().exit_status);
}

// Once they serve, as with the other sockets: before, those that an earlier graced had stay.
void Addresses::store_adopted() {
  const bool stopping = o_.pump.status().phase == Phase::stopping;
  if (stopping && !is_followed()) return;
  const Plan* plan = stopping ? serving_plan() : nullptr;
  keeper_.store_adopted(handoff_.adopted_sockets(), plan ? plan->sockets : std::vector<PassedSocket>());
}

std::vector<std::shared_ptr<Listener>> Addresses::listeners() const {
  std::vector<std::shared_ptr<Listener>> listeners;
  for (const auto& [generation, plan] : plans_) {
    for (const PassedSocket& s : plan.sockets) listeners.push_back(s.listener);
  }
  return listeners;
}

void Addresses::leave() {
  // Where the manager keeps the sockets for a graced that is to follow, their files stay as well, or nobody
  // could connect meanwhile. Otherwise nothing stays.
  std::vector<std::shared_ptr<Listener>> with_file = keeper_.restored().taken();
  const auto ours = listeners();
  with_file.insert(with_file.end(), ours.begin(), ours.end());
  std::erase_if(with_file, [](const auto& listener) { return listener->file() == FileId{}; });
  if (!with_file.empty() && is_followed()) {
    for (const auto& listener : with_file) listener->leave_file();
  }
  // A process that has left everything behind may still hold them: then clients would wait for ever, and no
  // other could listen there. Not those that somebody else opened, nor what the next graced is to have.
  if (own_children().empty() || is_followed()) return;
  for (const auto& listener : ours) {
    if (listener->made_by_graced()) stop_listening(listener->fd());
  }
}

void Addresses::watch_listeners() {
  if (!attending_) return;
  std::vector<std::shared_ptr<Listener>> open = listeners();
  sets_.add_all(open);
  listener_watch_.watch(open, spare_place_);
}

void Addresses::listener_shut(const Listener& listener, ListenerWatch::Outcome outcome,
                              const std::string& why) {
  const OutputWatch::Later later(o_.own_output);
  const std::string& address = listener.address();
  switch (outcome) {
    case ListenerWatch::Outcome::listens_again:
      if (!sets_.listens_again(listener)) return;
      o_.log.warning(
          "{}: a worker shut the socket down for everybody; it listens again, but what waited in its "
          "queue was reset",
          address);
      return;
    case ListenerWatch::Outcome::trying:
      o_.log.error("{}: a worker shut the socket down for everybody: {}, retrying every second", address, why);
      return;
    case ListenerWatch::Outcome::lost:
      if (!listener.made_by_graced()) {
        o_.log.error(
            "{}: a worker shut the socket down for everybody, and only who opened it can open another one "
            "there: "
            "graced is to be stopped, and started again with that; workers of later generations get one that "
            "nobody can connect to",
            address);
        return;
      }
      o_.log.error(
          "{}: a worker shut the socket down for everybody; reloading{}, so that another one listens there",
          address, listener.can_be_replaced() ? "" : ", and once more when nobody has it any more");
      o_.pump.happens(ReloadAsked{nobody});
      return;
    case ListenerWatch::Outcome::queue_is_back:
      o_.log.info("{}: a worker changed for everybody how many connections may wait there: {} again", address,
                  why);
      return;
    case ListenerWatch::Outcome::path_is_back:
      o_.log.warning("{}: the path was removed, by a worker that leaves perhaps; it is there again", address);
      return;
    case ListenerWatch::Outcome::path_is_gone:
      o_.log.error("{}: the path was removed and cannot be put back ({}); nobody reaches it until a reload",
                   address, why);
      return;
    case ListenerWatch::Outcome::path_is_taken:
      o_.log.error("{}: another file has taken the path's place and is left alone; nobody reaches graced there",
                   address);
      return;
    case ListenerWatch::Outcome::no_spare_path:
      o_.log.warning(
          "{}: should the path be removed, only a reload makes it anew, as no second name of it can be kept: "
          "{}",
          address, why);
      return;
    case ListenerWatch::Outcome::not_watched:
      o_.log.debug("{}: a path that is removed is noticed when a worker exits, or at a reload: {}", address,
                   why);
      return;
  }
}

}  // namespace graced
