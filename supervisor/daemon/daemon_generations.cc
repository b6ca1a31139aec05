// The daemon's hands on generations: preparing one, giving it the place of the other, abandoning it, and
// what stays when all is over.
#include <fmt/format.h>

#include <algorithm>

#include "core/story.h"
#include "daemon/address_change.h"
#include "daemon/daemon.h"
#include "linux/manager/unit_state.h"
#include "linux/proc/process.h"
#include "linux/self/footprint.h"
#include "linux/sockets/group_key.h"
#include "linux/sockets/listen_socket.h"
#include "options/environment.h"

namespace graced {

namespace {

// Of the names in the manager's store, see FdStore.
constexpr std::string_view adopted_family = "graced.adopted.";

// A worker that is ready sooner than that shares its sockets with the one before: it answers its first client
// before graced has heard that it is ready, and a reload would take noticeably longer without.
constexpr Duration at_once = 5ms;

// What a reload cannot change, because others find this instance by it.
void refuse_changes(const RunOptions& first, const RunOptions& now) {
  const auto refuse = [](const char* option) {
    throw UsageError(fmt::format("'{}' cannot change in a reload: stop graced and start it again", option));
  };
  if (now.name != first.name) refuse("name");
  if (now.control != first.control) refuse("control");
  if (now.pid_file != first.pid_file) refuse("pid-file");
}

bool is_relative(const std::string& path) {
  return !path.starts_with('/');
}

// Whether a name of theirs leads from the directory that graced was started in.
bool begins_where_started(const RunOptions& options) {
  if (!options.chdir || is_relative(*options.chdir)) return true;
  return std::ranges::any_of(options.env_files, [](const std::string& file) {
    return is_relative(file.starts_with('-') ? file.substr(1) : file);
  });
}

}  // namespace

// The command line and the environment stay as they were; only files can have changed, and the directory.
void Daemon::perform(const Prepare& a) {
  failure_.begin(a.generation);
  if (!status_.serving) {
    prepare(a.generation, [this] { return first_plan(); });
    return;
  }
  const auto place = std::make_shared<const Place>(place_again());
  if (!first_options_.config && first_options_.env_files.empty()) {
    prepare(a.generation, [this, place, generation = a.generation] {
      return plan_of_reload(generation, *place, first_options_);
    });
    return;
  }
  try {
    if (place->lost && first_options_.config && is_relative(*first_options_.config))
      std::rethrow_exception(place->lost);
    option_files_.read(
        invocation_.words, invocation_.environment, place->directory, [this, place, generation = a.generation] {
          const OutputWatch::Later later(stderr_);
          prepare(generation, [this, place, generation] {
            RunOptions options = option_files_.options(invocation_.words, invocation_.environment);
            refuse_changes(first_options_, options);
            return plan_of_reload(generation, *place, std::move(options));
          });
        });
  } catch (const std::exception& e) { post(PreparationFailed{a.generation, e.what()}); }
}

void Daemon::prepare(GenerationId generation, const std::function<Plan()>& plan_of) {
  const auto serving = status_.serving;
  try {
    listener_watch_.look_at_paths();  // one that can be put back need not be made anew
    plans_.insert_or_assign(generation, plan_of());
    watch_listeners();
    const Plan& plan = plans_.at(generation);
    prepare_handoff(generation, plan);
    if (!serving) {
      log_.info("graced {} supervises '{}' with PID {}, control socket {}", GRACED_VERSION, first_options_.name,
                ::getpid(), instance_.control_path());
      for (const auto& listener : restored_.taken()) log_.info("listens on {} again", listener->address());
    }
    if (serving && !plan.check.empty()) {
      start_check(generation);
    } else {
      happens(Prepared{generation, plan.options.policy});
    }
  } catch (const std::exception& e) {
    if (const auto* known = dynamic_cast<const std::system_error*>(&e))
      failure_.note_error(known->code().value());
    const bool usage = dynamic_cast<const UsageError*>(&e) != nullptr;
    happens(PreparationFailed{generation, e.what(), usage ? 2 : 1});
  }
}

Plan Daemon::first_plan() {
  Plan plan = make_plan(first_options_, inherited_.sockets, nullptr, inheritable_, capabilities_, nullptr,
                        &restored_, instance_.spare_path_place());
  hold_artefact(plan, starting_place_.own());
  return plan;
}

Daemon::Place Daemon::place_again() const {
  try {
    return {starting_place_.again(), nullptr};
  } catch (const std::system_error&) { return {Fd(), std::current_exception()}; }
}

// A place that is lost matters to what begins there only.
Plan Daemon::plan_of_reload(GenerationId generation, const Place& place, RunOptions options) {
  if (place.lost && begins_where_started(options)) std::rethrow_exception(place.lost);
  handoff_.forget_closed();
  SocketSets* const sets = starts_at_once_ ? nullptr : &sets_;
  sets ? sets_.prepare(generation, *status_.serving) : sets_.share(generation, *status_.serving);
  Plan plan = make_plan(std::move(options), inherited_.sockets, &plans_.at(*status_.serving), inheritable_,
                        capabilities_, sets, nullptr, instance_.spare_path_place());
  hold_artefact(plan, place.directory);
  return plan;
}

void Daemon::prepare_handoff(GenerationId generation, const Plan& plan) {
  for (const std::string& note : plan.handoff.notes) {
    if (told_notes_.insert(note).second) log_.warning("{}", note);
  }
  for (const std::string& note : kept_waiting(plan)) log_.warning({.generation = generation.value}, "{}", note);
  std::vector<Fd> restored;
  for (StoredDescriptor& d : store_.take(adopted_family)) restored.push_back(std::move(d.fd));
  if (!plan.handoff.adopt && !restored.empty()) store_.hold(adopted_family, {});
  if (!plan.handoff.switched) return;
  handoff_.steer_by(capabilities_.steering());
  if (plan.handoff.adopt) handoff_.restore(std::move(restored));
  std::vector<std::shared_ptr<Listener>> own;
  for (const PassedSocket& s : plan.sockets) {
    if (s.switched) own.push_back(s.listener);
  }
  handoff_.opened(generation, std::move(own));
}

// Once they serve, as with the other sockets: before, those that an earlier graced had stay.
void Daemon::store_adopted() {
  if (status_.phase == Phase::stopping && !is_followed()) return;
  std::map<std::string, int> descriptors;
  // What new connections wait in until the next graced belongs to a --listen, if that is its address.
  std::map<const Listener*, int> waiting;
  const auto plan = plans_.find(status_.serving.value_or(GenerationId{}));
  const bool stopping = status_.phase == Phase::stopping && plan != plans_.end();
  for (const auto& [inode, fd] : handoff_.adopted_sockets()) {
    const Listener* listener = nullptr;
    for (const PassedSocket& s : stopping ? plan->second.sockets : std::vector<PassedSocket>{}) {
      if (s.switched && group_key(s.listener->fd()) == group_key(fd)) listener = s.listener.get();
    }
    if (listener) {
      waiting.emplace(listener, fd);
    } else {
      descriptors.emplace(fmt::format("{}{}", adopted_family, inode), fd);
    }
  }
  store_.hold(adopted_family, descriptors);
  if (!waiting.empty()) store_listeners(store_, plan->second.sockets, waiting);
}

void Daemon::keep_time_of_retired() {
  if (!handoff_.any_retired()) return;
  for (const WorkerStatus& w : status_.workers)
    handoff_.close_connections(w.worker, {w.drain_idle, w.any_pause, w.last_call});
}

// No option asks for it yet.
void Daemon::perform(const Probe& a) {
  post(ProbeFailed{a.generation, a.probe, "it cannot look yet"});
}

void Daemon::perform(const Switch& a) {
  sets_.switch_to(a.to);
  // With many workers graced is busy starting the others when the first ones are ready.
  starts_at_once_ = quickest_start(a.to) < at_once + plans_.at(a.to).options.policy.workers * 250us;
  handoff_.switch_to(a.to);
  const Status& status = status_;
  for (const std::string& complaint : show_addresses(plans_.at(a.to))) log_.warning("{}", complaint);
  const Plan& plan = plans_.at(a.to);
  for (const auto& [generation, before] : plans_) {
    if (generation == a.to) continue;
    for (const std::string& complaint : refuse_gone_addresses(before, plan)) log_.warning("{}", complaint);
  }
  log_.set_level(plan.options.log_level);
  for (const ChangedSocket& s : plan.changed) {
    try {
      apply_options(*s.listener, s.options);
    } catch (const std::exception& e) { log_.warning("{}", e.what()); }
  }
  // Addresses that nobody needs any more are closed with their plan; draining workers keep theirs.
  const auto replaced = std::ranges::find_if(plans_, [&](const auto& p) { return p.first != a.to; });
  if (replaced != plans_.end()) give_up_sockets_if_empty(replaced->first);
  std::erase_if(plans_, [&](const auto& p) { return p.first != a.to; });
  watch_listeners();
  listener_watch_.look_again();
  store_listeners(store_, plan.sockets);
  restored_.forget_taken();
  limit_draining(plan.options);
  if (!status.last_reload) give_back_memory();  // the start is over
  if (status.last_reload && status.last_reload->generation == a.to) {
    control_->reload_finished(a.to.value, true, "");
    log_.info({.generation = a.to.value}, "serves, the reload took {}",
              to_rough_text(status.last_reload->took));
  } else {
    log_.info({.generation = a.to.value}, "serves");
  }
  notify_fd_.ready();
  survivors_.drain(plan.options.drain_signal, plan.options.policy.drain_timeout, plan.served);
  if (serves_) stderr_.change_output(std::exchange(serves_, {}));
}

Duration Daemon::quickest_start(GenerationId generation) const {
  Duration quickest = infinity;
  for (const WorkerStatus& w : status_.workers) {
    const WorkerProcess* process = workers_.find(w.worker);
    if (w.generation == generation && process) quickest = std::min(quickest, w.since - process->started);
  }
  return quickest;
}

void Daemon::perform(const Abandon& a) {
  if (check_ && check_->generation == a.generation) {
    end_all_below(check_->pid);  // reaped like any orphan
    check_->outputs.release();
    check_.reset();
  }
  const std::string unread = option_files_.waits_for();
  option_files_.give_up();
  std::string missing;  // what it was waited for
  for (const WorkerProcess& w : workers_) {
    if (w.generation != a.generation) continue;
    if (!failure_.has_last_words()) failure_.note_last_words(a.generation, w.outputs.last_words());
    if (!w.stopped_by.empty() && missing.empty()) missing = "stopped by " + w.stopped_by;
    if (a.too_late && missing.empty()) missing = ready_.waits_for(w.id);
    ready_.forget(w.id);
  }
  if (const auto plan = plans_.find(a.generation); plan != plans_.end()) limit_draining(plan->second.options);
  leave_cgroup_if_empty(a.generation);
  plans_.erase(a.generation);
  give_up_sockets_if_empty(a.generation);
  handoff_.drop(a.generation);
  watch_listeners();

  if (!unread.empty()) missing = fmt::format("{} could not be read in that time", unread);
  failure_.failed(a.why, missing);
  const LogFields about{.generation = a.generation.value};
  if (!status_.serving) {
    log_.error(about, "could not start: {}", failure_.line());
    return;
  }
  control_->reload_finished(a.generation.value, false, failure_.in_full(a.generation, a.why));
  // At a stop they serve until they have left, each at its time.
  log_.error(about, "failed: {}{}", failure_.line(),
             status_.phase == Phase::stopping ? ""
             : status_.workers_ready > 0
                 ? fmt::format("; generation {} still serves", status_.serving->value)
                 : "; " + serving_text(status_.serving->value, 0, status_.workers_asked));
}

void Daemon::perform(const Answer& a) {
  control_->answer(a.to, a.ok, a.generation.value, failure_.in_full(a.failed, a.why));
}

void Daemon::perform(const Finished& a) {
  ignored_words_.tell();
  exit_status_ = a.exit_status;
  if (a.exit_status != 0) ended_because_ = a.why;
  if (a.exit_status == 0) {
    log_.info("{}", a.why);
  } else if (a.failed == GenerationId{}) {  // a failed start was told already
    log_.error("{}", a.why);
  }
  // Those of a start that failed may be all that serves.
  if (a.exit_status == 0) survivors_.hammer();
  leave_socket_files();
  shut_listeners();
  loop_.leave();
}

// A process that has left everything behind may still hold them: then clients would wait for ever, and no other
// could listen there. Not those that somebody else opened, nor what the next graced is to have.
void Daemon::shut_listeners() {
  if (own_children().empty() || is_followed()) return;
  for (const auto& [generation, plan] : plans_) {
    for (const PassedSocket& s : plan.sockets) {
      if (s.listener->made_by_graced()) stop_listening(s.listener->fd());
    }
  }
}

// Does the manager keep the sockets for a graced that it starts again when this one has ended? Asked once, at
// the end.
bool Daemon::is_followed() {
  if (followed_) return *followed_;
  followed_ = false;
  if (!manager_.anybody()) return false;
  const auto state = unit_state(find_variable(invocation_.environment, "NOTIFY_SOCKET").value_or(""));
  // Who may not ask knows at least, from systemd 254 on, whether there is a store.
  followed_ = state ? graced::is_followed(*state, status_.exit_status)
                    : find_variable(invocation_.environment, "FDSTORE").has_value();
  return *followed_;
}

// Where the manager keeps the sockets for a graced that is to follow, their files stay as well, or nobody
// could connect meanwhile. Otherwise nothing stays.
void Daemon::leave_socket_files() {
  std::vector<std::shared_ptr<Listener>> with_file = restored_.taken();
  for (const auto& [generation, plan] : plans_) {
    for (const PassedSocket& s : plan.sockets) with_file.push_back(s.listener);
  }
  std::erase_if(with_file, [](const auto& listener) { return listener->file() == FileId{}; });
  if (with_file.empty() || !is_followed()) return;
  for (const auto& listener : with_file) listener->leave_file();
}

}  // namespace graced
