#include "daemon/upgrade.h"

#include <fmt/format.h>

#include <exception>
#include <utility>

namespace graced {

std::string another_upgrade(const std::string& image, const std::string& waits_for) {
  const std::string what = waits_for.empty() ? "is tried" : "waits for " + waits_for;
  return "another upgrade is under way: " + image + " " + what;
}

void Upgrade::asked(UpgradeRequest request, bool roots_only) {
  const auto refused = [&](std::string why) {
    last_ = UpgradeOutcome{request.token, false, std::move(why), version_};
    callbacks_.ended(UpgradeOutcome(*last_));
  };
  if (current_) return refused(another_upgrade(current_->image.path(), waits_for()));
  try {
    NewImage image(request.binary);
    if (roots_only && !image.is_roots()) {
      return refused(
          image.path() +
          " could have been written by others than root, and graced has capabilities: only root may have it "
          "take over");
    }
    current_.emplace(Current{std::move(request), std::move(image)});
  } catch (const std::exception& e) { return refused(e.what()); }
  tried_version_.clear();
  look();
}

void Upgrade::look() {
  if (!current_ || trial_) return;
  if (current_->enough) {
    return end(
        false,
        fmt::format("{}: since its first trial {} ago a reload or something like it has come between each "
                    "time; ask again when there are fewer of them",
                    current_->image.path(), to_rough_text(monotonic_now() - *current_->first_trial)));
  }
  if (callbacks_.in_the_way().empty()) start_trial();
}

bool Upgrade::call_off_trial() {
  if (!trial_) return false;
  trial_->call_off();
  trial_.reset();
  came_to_nothing();
  return true;
}

// This may be in the middle of something, so whoever has asked is told at the next look.
void Upgrade::came_to_nothing() {
  current_->enough = monotonic_now() - *current_->first_trial >= tries_limit_;
}

std::string Upgrade::waits_for() const {
  return current_ && !trial_ ? callbacks_.in_the_way() : "";
}

void Upgrade::give_up(const std::string& why) {
  if (current_) end(false, why);
}

Succession Upgrade::succession() const {
  Succession succession = callbacks_.succession();
  succession.left.push_back(named_descriptor("the new image", current_->image.fd()));
  return succession;
}

void Upgrade::start_trial() {
  try {
    const Succession now = succession();
    if (const auto faults = faults_of(now); !faults.empty()) return end(false, faults.front());
    trial_ = std::make_unique<Trial>(loop_, current_->image, now, trial_limit_,
                                     [this](const TrialResult& result) { tried(result); });
    if (!current_->first_trial) current_->first_trial = monotonic_now();
  } catch (const std::exception& e) { end(false, e.what()); }
}

// The trial's descriptors have no names, so it is gone before anything else. What it has seen may be out of
// date where something has begun meanwhile that must not be interrupted: then there is another trial after
// that.
void Upgrade::tried(const TrialResult& result) {
  trial_.reset();
  if (result.refusal) return end(false, current_->image.path() + ": " + *result.refusal);
  tried_version_ = result.version;
  if (current_->request.check_only) return end(true, "");
  if (!callbacks_.in_the_way().empty()) return came_to_nothing();
  take_leave();
}

void Upgrade::take_leave() {
  if (!callbacks_.leaves()) {  // it waits again, or was given up meanwhile
    if (current_) came_to_nothing();
    return;
  }
  std::string why;
  try {
    why = become_new_image(current_->image, succession());
  } catch (const std::exception& e) { why = e.what(); }
  callbacks_.goes_on();
  end(false, why);
}

// Whoever is told may ask for the next one.
void Upgrade::end(bool ok, std::string why) {
  trial_.reset();
  last_ = UpgradeOutcome{std::move(current_->request.token), ok, std::move(why), version_, tried_version_};
  current_.reset();
  callbacks_.ended(UpgradeOutcome(*last_));
}

}  // namespace graced
