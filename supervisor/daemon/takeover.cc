#include "daemon/takeover.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/epoll.h>

#include <algorithm>
#include <set>
#include <stdexcept>
#include <utility>

#include "core/counted.h"
#include "daemon/takeover_view.h"
#include "linux/base/duplicate.h"
#include "linux/base/pidfd.h"
#include "linux/manager/unit_stop.h"
#include "linux/proc/process.h"
#include "linux/proc/send_signal.h"
#include "options/option_values.h"

namespace graced {

void Takeover::begin(const Plan& first, HandoffCapabilities& capabilities) {
  if (!first.options.take) return;
  const std::string target = first.options.take->text();
  if (o_.addresses.handoff().keeps_restored()) {
    o_.log.debug("nothing is taken over of {}: an earlier graced has left its sockets to this one", target);
    return;
  }
  RunningServer::Found found = RunningServer::look(*first.options.take);
  if (const auto obstacles = takeover_obstacles(found, first.handoff); !obstacles.empty())
    throw std::runtime_error(fmt::format("take {}: {}", target, obstacles.front()));
  if (!found.server) {
    o_.log.info("nothing is taken over: {}", found.nothing);
    return;
  }
  o_.addresses.take(*found.server, capabilities);
  server_ = std::move(found.server);
  stop_command_ = first.options.take_stop;
  drain_signal_ = first.options.drain_signal;
  std::set<std::string> addresses;
  for (const RunningSocket& s : server_->sockets()) addresses.insert(s.address);
  o_.log.info("{} is taken over with {}: it serves until generation 1 does", text(),
              fmt::join(addresses, ", "));
  for (const std::string& warning : found.warnings) o_.log.warning("{}", warning);
  if (stop_command_.empty() && !found.end_in_doubt.empty()) o_.log.warning("{}", found.end_in_doubt);
  o_.pump.happens(TakenFound{ended_elsewhere()});
  for (const RunningProcess& p : server_->processes()) watch(p.id.pid, duplicate(p.pidfd.get()));
}

Takeover::Kept Takeover::kept() const {
  Kept kept{server_ ? std::optional(server_->kept()) : std::nullopt,
            stop_command_,
            drain_signal_,
            {},
            serves_alone_,
            told_,
            signalled_,
            taken_};
  for (const Watched& w : watched_) kept.watched.push_back({w.pid, w.process.get()});
  return kept;
}

void Takeover::take_over(Kept kept) {
  if (kept.server) server_.emplace(std::move(*kept.server));
  stop_command_ = std::move(kept.stop_command);
  drain_signal_ = kept.drain_signal;
  serves_alone_ = kept.serves_alone;
  told_ = kept.told;
  signalled_ = kept.signalled;
  taken_ = std::move(kept.taken);
  for (const Kept::Watched& w : kept.watched) watch(w.pid, Fd(w.process));
}

std::string Takeover::text() const {
  if (!server_) return "";
  return server_->text() + (server_->unit() ? " of " + server_->unit()->name : "");
}

void Takeover::watch(pid_t pid, Fd process) {
  Watched& w = watched_.emplace_back(Watched{pid, std::move(process), Source()});
  w.gone = o_.loop.on_fd(w.process.get(), EPOLLIN, Priority::child, [this, pid] { ended(pid); });
}

// A server may start others at any time.
void Takeover::look_below() {
  std::vector<pid_t> found;
  for (const Watched& w : watched_) {
    for (const pid_t pid : descendants_of(w.pid)) found.push_back(pid);
  }
  for (const pid_t pid : found) {
    if (std::ranges::find(watched_, pid, &Watched::pid) != watched_.end()) continue;
    if (Fd process = open_pidfd(pid)) watch(pid, std::move(process));
  }
}

void Takeover::ended(pid_t pid) {
  look_below();
  watched_.remove_if([&](const Watched& w) { return w.pid == pid; });
  if (watched_.empty()) return all_ended();
  if (pid != server_->pid()) return;
  std::vector<pid_t> left;
  for (const Watched& w : watched_) left.push_back(w.pid);
  if (!serves_alone_) o_.addresses.handoff().left_behind(taken_worker, left);
  if (!signalled_) return;
  o_.log.info("{} has ended; {} of it finish", text(), counted(std::ssize(watched_), "process", "processes"));
  signal_all();
}

void Takeover::all_ended() {
  if (serves_alone_) {
    o_.log.warning("{} has ended by itself; clients wait until generation 1 serves", text());
    o_.addresses.handoff().gone(taken_worker, Handoff::Follows::replacement);
    return o_.pump.happens(TakenGone{});
  }
  o_.log.info("{} has ended", text());
  if (!told_) ask_manager();
  o_.addresses.handoff().gone(taken_worker, Handoff::Follows::none);
  server_.reset();
  o_.pump.happens(TakenGone{});
}

void Takeover::serves(GenerationId first) {
  if (!server_ || !std::exchange(serves_alone_, false)) return;
  o_.log.info({.generation = first.value}, "serves in the place of {}", text());
  taken_ = o_.readers.events().taken(first, server_->pid(), text(), o_.pump.status());
  if (!watched_.empty()) return;
  ask_manager();
  server_.reset();
}

void Takeover::retire() {
  if (!server_) return;
  o_.log.info("{} gets no new connections; it is told to leave when it has finished those it has", text());
  look_below();
  o_.addresses.handoff().retire(taken_worker, std::nullopt, false);
}

void Takeover::drain() {
  if (!server_) return;
  if (const Retirement* retirement = o_.addresses.handoff().retirement(taken_worker))
    o_.log.warning("{} still has {}, and is told to leave", text(), retirement->waits_for());
  look_below();
  o_.addresses.handoff().told_to_leave(taken_worker);
  tell();
}

void Takeover::tell() {
  told_ = true;
  if (ask_manager()) return;
  signalled_ = true;
  o_.log.info("{} is told to leave (SIG{})", text(), signal_name(drain_signal_));
  const auto main = std::ranges::find(watched_, server_->pid(), &Watched::pid);
  if (main == watched_.end()) return signal_all();
  send_signal_awake(main->process, drain_signal_);
}

// By a signal alone, or when it has ended by itself, it would be started again, and again, as its address is in
// use. False: nobody manages it.
bool Takeover::ask_manager() {
  if (!stop_command_.empty() && taken_) {
    o_.log.info("{} is to leave", text());
    o_.readers.runner().run(stop_command_, *taken_);
    return true;
  }
  if (!server_->unit()) return false;
  ask_systemd();
  return true;
}

void Takeover::ask_systemd() {
  const std::string& unit = server_->unit()->name;
  try {
    stop_unit(*server_->unit());
    o_.log.info("{}: systemd is asked to stop {}", server_->text(), unit);
  } catch (const std::exception& e) {
    o_.log.error("{} goes on without clients: {} (as root: systemctl stop {})", text(), e.what(), unit);
  }
}

void Takeover::signal_all() {
  for (const Watched& w : watched_) send_signal_awake(w.process, drain_signal_);
}

void Takeover::kill() {
  if (!server_) return;
  o_.log.warning("{} is hammered (SIGKILL), with all that it started", text());
  look_below();
  for (const Watched& w : watched_) send_signal(w.process, SIGKILL);
}

void Takeover::give_back() {
  if (!server_) return;
  for (const std::string& why : o_.addresses.handoff().give_back()) o_.log.warning("{}", why);
  o_.log.info("{} serves on, as before", text());
  watched_.clear();
  server_.reset();
}

}  // namespace graced
