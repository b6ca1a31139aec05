// One poll(2) over all the questions that are under way.
#include "linux/control/control_round.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>

#include "linux/base/clock.h"
#include "linux/base/sys_error.h"

namespace graced {
namespace {

constexpr std::size_t most_at_once = 256;  // descriptors
constexpr Duration greeting = 10s;         // before an instance that is to reload says hello
constexpr Duration prompt = 10s;           // for what graced answers at once
constexpr Duration room_may_come = 10ms;   // in a queue that was full

struct UnderWay {
  std::size_t index;
  Instant begun;
  Instant last_sign;                 // of life
  std::optional<Instant> reached{};  // it has said hello
  std::unique_ptr<ControlQuestion> question;
};

int milliseconds_until(Instant when, Instant now) {
  if (when == no_deadline) return -1;
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(std::max(when - now, Duration{0})).count();
  return static_cast<int>(std::min<std::int64_t>(ms, std::numeric_limits<int>::max()));
}

void wait_for_any(const std::vector<UnderWay>& all, Instant until) {
  std::vector<pollfd> watched;
  for (const UnderWay& u : all) {
    watched.push_back(u.question->watched());
    if (watched.back().fd < 0) until = std::min(until, now() + room_may_come);
  }
  if (::poll(watched.data(), watched.size(), milliseconds_until(until, now())) < 0 && errno != EINTR)
    throw sys_error("wait for answers");
}

class Round {
 public:
  // until: when to give up on one. told: false, begin no other one.
  template <class Until, class Told>
  void go(const std::vector<std::string>& paths, ControlAsk ask, std::size_t at_once, const Until& until,
          const Told& told) {
    std::size_t next = 0;
    bool goes_on = true;
    for (;;) {
      for (; goes_on && next < paths.size() && all_.size() < std::max<std::size_t>(1, at_once); ++next) {
        const Instant begun = now();
        all_.push_back({next, begun, begun, {}, std::make_unique<ControlQuestion>(paths[next], ask)});
      }
      if (all_.empty()) return;
      Instant first = no_deadline;
      for (const UnderWay& u : all_) first = std::min(first, u.question->answer() ? now() : until(u));
      wait_for_any(all_, first);
      for (std::size_t i = 0; i < all_.size();) {
        if (const auto answer = advance(all_[i], until)) {
          const UnderWay done = std::move(all_[i]);
          all_.erase(all_.begin() + static_cast<std::ptrdiff_t>(i));
          goes_on = told(done, *answer) && goes_on;
        } else {
          ++i;
        }
      }
    }
  }

 private:
  // A limit that has passed counts only where nothing has come: it may be this process that got no time.
  template <class Until>
  static std::optional<ControlAnswer> advance(UnderWay& u, const Until& until) {
    const bool moved = u.question->advance();
    if (moved) u.last_sign = now();
    if (!u.reached && u.question->reached()) u.reached = now();
    if (u.question->answer()) return u.question->answer();
    if (moved || now() < until(u)) return std::nullopt;
    return ControlAnswer{.reply = {.outcome = ControlOutcome::timed_out, .why = "no answer in time"},
                         .reached = u.question->reached()};
  }

  std::vector<UnderWay> all_;
};

}  // namespace

std::vector<ControlAnswer> ask_all(const std::vector<std::string>& paths, Duration most, Stragglers stragglers,
                                   ControlAsk what, Duration moment) {
  std::vector<ControlAnswer> answers(paths.size());
  std::size_t answered = 0;
  Duration slowest{0};
  const auto until = [&](const UnderWay& u) {
    const bool hurry = stragglers == Stragglers::leave && 2 * answered >= paths.size();
    return u.last_sign + (hurry ? std::min(most, std::max(moment, 4 * slowest)) : most);
  };
  Round{}.go(paths, what, most_at_once, until, [&](const UnderWay& u, const ControlAnswer& answer) {
    answers[u.index] = answer;
    if (answer.reply.outcome != ControlOutcome::timed_out) {
      ++answered;
      slowest = std::max(slowest, now() - u.begun);
    }
    return true;
  });
  return answers;
}

void reload_each(const std::vector<std::string>& paths, std::size_t at_once, std::optional<Duration> limit,
                 const std::function<bool(std::size_t, const ControlAnswer&)>& told) {
  const auto until = [&](const UnderWay& u) {
    return u.reached ? after(*u.reached, limit.value_or(prompt)) : u.last_sign + greeting;
  };
  Round{}.go(paths, limit ? ControlAsk::reload : ControlAsk::reload_untended, std::min(at_once, most_at_once),
             until, [&](const UnderWay& u, const ControlAnswer& answer) { return told(u.index, answer); });
}

}  // namespace graced
