// Two rounds of questions: reports, then the histories of those that have answered.
#include "exporter/looker.h"

#include <algorithm>
#include <set>
#include <utility>

#include "linux/base/clock.h"
#include "linux/control/control_round.h"
#include "observe/observe.h"

namespace graced {
namespace {

using Answer = ObservedInstance::Answer;

constexpr Duration moment_of_hung = 200ms;  // for one that did not answer the last time either

// For others, at least.
Duration moment_of(Duration limit) {
  return std::max(limit / 10, std::min(moment_of_hung, limit / 4));
}

std::map<std::uint64_t, Duration> cpu_of_generations(const ObservedInstance& observed) {
  std::map<std::uint64_t, Duration> cpu;
  for (const GenerationLoad& g : observed.generations)
    if (g.cpu) cpu[g.generation] = *g.cpu;
  return cpu;
}

}  // namespace

Looker::Looker(ControlPlaces places, std::vector<std::string> controls, Duration limit, bool secrets)
    : places_(std::move(places)),
      controls_(std::move(controls)),
      limit_(limit),
      secrets_(secrets),
      began_(now()) {}

// Nobody is woken for it: whether somebody listens is found out by asking.
std::vector<Found> Looker::find() const {
  std::vector<Found> found = control_sockets(places_, Closed::told);
  for (const std::string& control : controls_)
    if (std::ranges::find(found, control, &Found::control) == found.end())
      found.push_back({.name = control, .control = control});
  return found;
}

LookPointer Looker::look() {
  auto look = std::make_shared<Look>();
  look->begun = now();
  look->at = std::chrono::system_clock::now();
  const Instant end = look->begun + limit_;
  look->instances = read_reports(end);
  name_all(look->instances);
  read_histories(*look, end);
  for (Seen& seen : look->instances) {
    Known& known = known_[seen.observed.control];
    if (seen.read()) known.sightings.take(seen.report(), look->begun);
    seen.tally = known.tally;
    seen.sightings = known.sightings;
    if (secrets_) continue;
    withhold_secrets(seen.observed.report);
    for (InstanceEvent& entry : seen.history) entry.reason = without_last_words(entry.reason);
  }
  look->took = now() - look->begun;
  return look;
}

// Those that hung the last time come first and get a moment, so that they do not cost every look its limit.
std::vector<Seen> Looker::read_reports(Instant end) {
  std::vector<Found> hung;
  std::vector<Found> others;
  std::map<std::string, Known> known;
  for (const Found& f : find()) {
    Known& k = known[f.control] = std::move(known_[f.control]);
    (k.hung ? hung : others).push_back(f);
  }
  known_ = std::move(known);  // those that have left are forgotten
  std::vector<Seen> seen;
  observe_into(seen, hung, std::min(moment_of_hung, limit_ / 4));
  observe_into(seen, others, std::max(end - now() - limit_ / 4, limit_ / 4));
  return seen;
}

void Looker::observe_into(std::vector<Seen>& seen, const std::vector<Found>& which, Duration most) {
  if (which.empty()) return;
  std::vector<ObservedInstance> observed = observe(
      which,
      {.patience = most, .stragglers = Stragglers::leave, .moment = moment_of(limit_), .supervisor = true});
  for (std::size_t i = 0; i < which.size(); ++i) {
    Seen& s = seen.emplace_back(Seen{.name = which[i].name, .observed = std::move(observed[i])});
    Known& known = known_[s.observed.control];
    known.hung = s.observed.answer == Answer::silent;
    if (!s.read()) continue;
    known.name = s.report().name;
    known.tally.take_drops(s.observed.addresses);
    known.tally.take_cpu(s.report(), cpu_of_generations(s.observed));
    known.tally.take_datagrams(s.report());
  }
}

// As the directory is called that the socket lies in, which is known of a silent one as well; where that tells
// nothing, as it last called itself; and where two are called the same, by the path.
void Looker::name_all(std::vector<Seen>& seen) {
  std::ranges::sort(seen, {}, [](const Seen& s) { return std::pair(s.name, s.observed.control); });
  std::set<std::string> taken;
  for (Seen& s : seen) {
    const std::string& control = s.observed.control;
    if (s.name == control && !known_[control].name.empty()) s.name = known_[control].name;
    if (!taken.insert(s.name).second) taken.insert(s.name = control);
  }
  std::ranges::sort(seen, {}, &Seen::name);
}

void Looker::read_histories(Look& look, Instant end) {
  std::vector<Seen*> which;
  std::vector<std::string> paths;
  for (Seen& s : look.instances) {
    if (!s.read()) continue;
    which.push_back(&s);
    paths.push_back(s.observed.control);
  }
  std::vector<ControlAnswer> answers = ask_all(paths, std::max<Duration>(end - now(), limit_ / 4),
                                               Stragglers::leave, ControlAsk::history, moment_of(limit_));
  for (std::size_t k = 0; k < which.size(); ++k) {
    Seen& s = *which[k];
    if (answers[k].reply.outcome != ControlOutcome::ok) continue;  // it is counted the next time
    s.history = std::move(answers[k].history);
    known_[s.observed.control].tally.take(s.history, s.report().pid, began_);
  }
}

}  // namespace graced
