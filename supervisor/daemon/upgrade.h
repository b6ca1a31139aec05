// graced replaced by another image of itself: who has asked, what that waits for, the trial, and what came of
// it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/time.h"
#include "linux/control/upgrade_request.h"
#include "linux/event/loop.h"
#include "linux/proc/child_exits.h"
#include "linux/upgrade/new_image.h"
#include "linux/upgrade/succession.h"
#include "linux/upgrade/trial.h"

namespace graced {

struct UpgradeOutcome {
  std::string token;
  bool ok = false;
  std::string why{};   // it is not: one line
  std::string from{};  // versions
  std::string to{};    // empty: not known

  friend bool operator==(const UpgradeOutcome&, const UpgradeOutcome&) = default;
};

// Why another one is refused meanwhile. waits_for: what that one waits for; empty: it is tried.
std::string another_upgrade(const std::string& image, const std::string& waits_for);

class Upgrade {
 public:
  struct Callbacks {
    // What an upgrade must not interrupt, "a reload"; empty: nothing.
    std::function<std::string()> in_the_way;
    // What the other image gets, as it is now. Throws std::exception.
    std::function<Succession()> succession;
    // The exec follows: askers are answered, and nobody is let in any more, until `goes_on`, as it has failed.
    // False: something came meanwhile that must not be interrupted, and nobody was hung up on.
    std::function<bool()> leaves;
    std::function<void()> goes_on;
    // What came of a request, unless the other image takes over: then that tells.
    std::function<void(const UpgradeOutcome&)> ended;
  };

  // version: of this image. trial_limit: see Trial.
  // tries_limit: from the first trial of an upgrade on; a trial that comes to nothing after that, as something
  // has begun meanwhile, is not followed by another one.
  Upgrade(Loop& loop, std::string version, Callbacks callbacks, Duration trial_limit = std::chrono::seconds(5),
          Duration tries_limit = std::chrono::minutes(1))
      : loop_(loop),
        version_(std::move(version)),
        callbacks_(std::move(callbacks)),
        trial_limit_(trial_limit),
        tries_limit_(tries_limit) {}

  // One at a time: another one is refused until this has ended. The file is opened at once. `ended` may be
  // called before this returns. roots_only: the asker may less than this process, and a file that is not root's
  // would give him its rights.
  void asked(UpgradeRequest request, bool roots_only = false);

  // What was in the way may be gone.
  void look();

  // The trial that runs is gone when this returns. At the next look there is another one, or the upgrade ends
  // where it has been tried for too long. False: none runs.
  bool call_off_trial();

  // Whoever reaps graced's children tells of each. False: it was none of this one's.
  bool ended(const ChildExit& child) { return trial_ && trial_->ended(child); }

  // graced stops, or for another reason none is to be.
  void give_up(const std::string& why);

  bool busy() const { return current_.has_value(); }
  bool is_waiting() const { return current_ && !trial_; }
  // Of the one that is under way: what comes of it where the other image takes over. There must be one.
  UpgradeOutcome hoped() const { return {current_->request.token, true, "", version_, tried_version_}; }
  const std::string& path() const { return current_->image.path(); }  // likewise: of the new image
  // "a reload", while one waits; empty: none does.
  std::string waits_for() const;

  // What came of the last one that has ended, of this image or, as its state has it, of the one before.
  const std::optional<UpgradeOutcome>& last() const { return last_; }
  void set_last(std::optional<UpgradeOutcome> last) { last_ = std::move(last); }

 private:
  struct Current {
    UpgradeRequest request;
    NewImage image;
    std::optional<Instant> first_trial{};
    bool enough = false;  // of trials that came to nothing
  };

  Succession succession() const;
  void start_trial();
  void tried(const TrialResult& result);
  void came_to_nothing();
  void take_leave();
  void end(bool ok, std::string why);

  Loop& loop_;
  std::string version_;
  Callbacks callbacks_;
  Duration trial_limit_;
  Duration tries_limit_;
  std::optional<Current> current_;
  std::unique_ptr<Trial> trial_;  // null: it waits
  std::string tried_version_;     // of the image that has passed the trial
  std::optional<UpgradeOutcome> last_;
};

}  // namespace graced
