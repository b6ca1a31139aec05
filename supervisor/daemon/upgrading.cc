#include "daemon/upgrading.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "core/version.h"
#include "linux/self/own_image.h"
#include "linux/upgrade/trial_answer.h"

namespace graced {

namespace {

constexpr Duration pause = 100ms;          // between two looks whether something is in the way still
constexpr Duration time_to_write = 200ms;  // to those at the control socket who read slowly

// A process of graced's own user has none of the capabilities that graced was given, and could not get them.
bool may_less_than_graced(const Asker& asker) {
  return asker.user != 0U && own_rights().capabilities != 0;
}

}  // namespace

Upgrading::Upgrading(Others others, std::function<Succession()> succession)
    : o_(others),
      upgrade_(o_.loop, own_version(),
               {.in_the_way = [this] { return in_the_way(); },
                .succession = std::move(succession),
                .leaves = [this] { return leaves(); },
                .goes_on = [this] { o_.announcer.control().let_in(); },
                .ended = [this](const UpgradeOutcome& outcome) { came_of_it(outcome); }}) {}

bool Upgrading::stops() const {
  const Phase phase = o_.pump.status().phase;
  return phase == Phase::stopping || phase == Phase::finished;
}

void Upgrading::refuse(const Asked& asked, const std::string& why) {
  o_.log.warning("{} refused: {}", asked.request.check_only ? "trial of another image" : "upgrade", why);
  o_.announcer.control().upgrade_ended(asked.to, false, own_version(), "", why);
}

// Begins when the loop comes to it: nothing is under way then.
void Upgrading::asked(RequestId to, UpgradeRequest request, const std::string& by) {
  Asked asked{to, std::move(request), o_.readers.events().asker()};
  try {
    if (asked.request.binary.empty()) asked.request.binary = own_image_path();
  } catch (const std::exception& e) { return refuse(asked, e.what()); }
  o_.log.info("{} {} asked at the control socket by {}",
              asked.request.check_only ? "a trial of" : "an upgrade to", asked.request.binary, by);
  if (stops()) return refuse(asked, "graced is stopping");
  if (asked_) return refuse(asked, another_upgrade(asked_->request.binary, upgrade_.waits_for()));
  asked_ = std::move(asked);
  begun_ = false;
  if (!look_) look_ = o_.loop.timer([this] { look(); });
  look_.fire_at(monotonic_now());
}

void Upgrading::look_soon() {
  if (asked_) look_.fire_at(monotonic_now());
}

void Upgrading::call_off_trial() {
  if (upgrade_.call_off_trial()) look_.fire_at(monotonic_now());
}

void Upgrading::look() {
  if (!asked_) return;
  if (stops()) {
    if (begun_) return upgrade_.give_up("graced is stopping");
    return refuse(*std::exchange(asked_, std::nullopt), "graced is stopping");
  }
  if (!begun_) {
    begin();
  } else {
    upgrade_.look();
  }
  if (asked_) look_.fire_at(monotonic_now() + pause);  // also while it is tried: it may have to wait after that
}

void Upgrading::begin() {
  begun_ = true;
  upgrade_.asked(asked_->request, may_less_than_graced(asked_->by));
  if (!upgrade_.is_waiting()) return;
  if (const std::string waits = upgrade_.waits_for(); !waits.empty())
    o_.log.info("the upgrade waits for {}", waits);
}

// What lives in this process alone, or cannot be in two halves. Empty: nothing.
std::string Upgrading::in_the_way() const {
  const Status& status = o_.pump.status();
  if (!status.serving || o_.addresses.handoff().is_parked()) return "the first generation to serve";
  if (const WaitsFor w = o_.planner.waits_for(); !w.what.empty())
    return fmt::format("{} to be {}", w.what, w.how);
  if (std::string process = process_in_the_way(); !process.empty()) return process;
  if (std::string worker = worker_in_the_way(); !worker.empty()) return worker;
  return "";
}

std::string Upgrading::process_in_the_way() const {
  if (o_.examination.preflight.busy()) return "the command of --check";
  if (o_.examination.looks.busy()) return "a look of --probe";
  if (o_.readers.runner().busy()) return "a command of --on";
  if (o_.readers.gates().busy()) return "the command of --gate";
  return "";
}

std::string Upgrading::worker_in_the_way() const {
  const Status& status = o_.pump.status();
  const auto starting = std::ranges::find(status.workers, WorkerState::starting, &WorkerStatus::state);
  if (starting != status.workers.end()) {
    return fmt::format("worker {} of generation {} to be ready", starting->slot, starting->generation.value);
  }
  if (status.candidate &&
      std::ranges::find(status.workers, *status.candidate, &WorkerStatus::generation) == status.workers.end())
    return fmt::format("generation {} to be started", status.candidate->value);
  if (o_.ready.any()) return "a worker to be ready";
  if (o_.addresses.any_settles()) return "the generation before to hear from those who have just connected";
  return "";
}

bool Upgrading::leaves() {
  ControlServer& control = o_.announcer.control();
  control.shut_out();
  if (!upgrade_.busy() || stops() || !in_the_way().empty()) {
    control.let_in();
    look_.fire_at(monotonic_now());
    return false;
  }
  o_.log.info("graced goes on as {} {}", upgrade_.path(), upgrade_.hoped().to);
  control.hang_up(time_to_write);
  return true;
}

// Of this image: where the other one takes over, that tells. A trial that was all that was wanted leaves no
// trace.
void Upgrading::came_of_it(const UpgradeOutcome& outcome) {
  if (!asked_) return;
  const Asked asked = *std::exchange(asked_, std::nullopt);
  if (!asked.request.check_only) {
    so_far_.last = outcome;
    so_far_.last_at = monotonic_now();
    so_far_.by = asked.by;
    ++so_far_.failed;
    tell_of_failure(outcome.why);
  } else if (outcome.ok) {
    o_.log.info("graced {} at {} can take the place of this one", outcome.to, asked.request.binary);
  } else {
    o_.log.warning("the image that was to be tried cannot take the place of this one: {}", outcome.why);
  }
  o_.announcer.control().upgrade_ended(asked.to, outcome.ok, outcome.from, outcome.to, outcome.why);
}

void Upgrading::tell_of_failure(const std::string& why) {
  o_.log.error("upgrade failed: {}; graced {} goes on", why, own_version());
  o_.readers.events().upgraded(so_far_.by, false, why, o_.pump.status());
}

Upgrading::Kept Upgrading::kept() const {
  Kept kept = so_far_;
  if (!asked_ || !upgrade_.busy()) return kept;
  kept.last = upgrade_.hoped();
  kept.by = asked_->by;
  kept.image = upgrade_.path();
  kept.untold = true;
  return kept;
}

void came_of(Upgrading::Kept& kept, std::string_view version, const std::string& why_back) {
  UpgradeOutcome& last = kept.last ? *kept.last : kept.last.emplace();
  kept.last_at = monotonic_now();
  kept.untold = true;
  if (!why_back.empty()) {
    last.ok = false;
    last.why = fmt::format("{}: {}", kept.image, why_back);
    ++kept.failed;
  } else {
    last.ok = true;
    last.to = version;
    kept.upgraded_from = last.from;
    kept.upgraded_at = kept.last_at;
    ++kept.upgrades;
  }
  kept.image.clear();
}

void Upgrading::tell() {
  if (!std::exchange(so_far_.untold, false) || !so_far_.last) return;
  const UpgradeOutcome& last = *so_far_.last;
  if (!last.ok) return tell_of_failure(last.why);
  o_.log.info("graced {} goes on in the place of {}", last.to, last.from);
  o_.readers.events().upgraded(so_far_.by, true, fmt::format("from {} to {}", last.from, last.to),
                               o_.pump.status());
}

void Upgrading::add_to(InstanceReport& report, Instant now) const {
  report.upgraded_from = so_far_.upgraded_from;
  if (so_far_.upgraded_at) report.upgraded = now - *so_far_.upgraded_at;
  report.upgrades = so_far_.upgrades;
  report.failed_upgrades = so_far_.failed;
  if (asked_) report.upgrade_waits_for = upgrade_.waits_for();
  if (const auto& last = so_far_.last; last && so_far_.last_at)
    report.last_upgrade =
        UpgradeReport{last->token, last->ok, last->why, last->from, last->to, now - *so_far_.last_at};
}

}  // namespace graced
