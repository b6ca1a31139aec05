// By the name of the directory that the socket lies in, or what the instance calls itself.
#include "client/choice.h"

#include <fmt/format.h>

#include <optional>
#include <system_error>
#include <utility>

#include "client/outcome.h"
#include "core/printable.h"
#include "linux/control/control_round.h"

namespace graced {
namespace {

std::string listed(const std::vector<Found>& instances) {
  std::string text;
  for (const Found& f : instances) text += (text.empty() ? "" : ", ") + printable(f.name);
  return text;
}

std::string by_control(const std::vector<Found>& instances) {
  std::string text;
  for (const Found& f : instances) text += (text.empty() ? "--control " : " or --control ") + f.control;
  return text;
}

std::optional<std::string> name_at(const std::string& control) {
  try {
    return ControlClient{control, greeting}.name();
  } catch (const std::system_error&) { return std::nullopt; }
}

std::vector<Found> called(std::vector<Found> instances, const std::string& name) {
  std::erase_if(instances, [&](const Found& f) { return f.name != name; });
  return instances;
}

std::vector<Found> by_own_name(std::vector<Found> instances) {
  std::vector<std::string> paths;
  for (const Found& f : instances) paths.push_back(f.control);
  const std::vector<ControlAnswer> answers = ask_all(paths, greeting, Stragglers::leave);
  for (std::size_t i = 0; i < instances.size(); ++i)
    if (!answers[i].report.name.empty()) instances[i].name = answers[i].report.name;
  return instances;
}

}  // namespace

std::string looked_in(const ControlPlaces& places) {
  std::string text;
  for (const std::string& d : instance_directories(places)) text += (text.empty() ? "" : " and ") + d;
  return text;
}

Refusal nobody_runs(const ControlPlaces& places) {
  return {exit_status::no_instance, fmt::format("no graced is running (looked in {})", looked_in(places))};
}

std::vector<Found> running(const ControlPlaces& places) {
  std::vector<Found> live = find_instances(places);
  std::erase_if(live, [](const Found& f) { return !f.live; });
  return live;
}

Chosen choose(const Target& target, const ControlPlaces& places) {
  if (target.control) return {target.name.value_or(*target.control), *target.control};
  // The one that the environment says, if it has that name: so it is, wherever its socket lies.
  if (target.name && !places.control.empty() && name_at(places.control) == target.name)
    return {*target.name, places.control};

  std::vector<Found> live = running(places);
  std::vector<Found> meant = target.name ? called(live, *target.name) : live;
  if (meant.size() == 1) return {meant.front().name, meant.front().control};

  live = by_own_name(std::move(live));
  if (target.name && meant.empty()) meant = called(live, *target.name);
  if (meant.size() == 1) return {meant.front().name, meant.front().control};

  if (!target.name && meant.empty())
    throw Refusal{exit_status::no_instance,
                  fmt::format("no graced is running (looked in {}; --control PATH finds one elsewhere)",
                              looked_in(places))};
  if (!target.name)
    throw Refusal{exit_status::usage, fmt::format("several are running, name one: {}", listed(live))};
  if (meant.size() > 1)
    throw Refusal{exit_status::usage, fmt::format("several are called '{}', say which by {}",
                                                  printable(*target.name), by_control(meant))};
  throw Refusal{
      exit_status::no_instance,
      fmt::format("no graced named '{}' is running{} (one started with --control PATH is found by it)",
                  printable(*target.name), live.empty() ? "" : ", there is " + listed(live))};
}

ControlClient reach(const Chosen& chosen) {
  try {
    return ControlClient{chosen.control};
  } catch (const std::system_error& e) {
    if (e.code().value() == ENOENT || e.code().value() == ECONNREFUSED || e.code().value() == ENOTDIR)
      throw Refusal{exit_status::no_instance,
                    fmt::format("no graced is running at {}", printable(chosen.control))};
    if (e.code().value() == ECONNRESET)
      throw Ended{{exit_status::no_instance, fmt::format("'{}' has just ended", printable(chosen.name))}};
    if (e.code().value() == EBUSY) throw Refusal{exit_status::gave_up_waiting, hung_up_text(chosen.name)};
    if (e.code().value() == ETIMEDOUT)
      throw Refusal{exit_status::gave_up_waiting, fmt::format("{} does not answer", printable(chosen.name))};
    throw Refusal{exit_status::failed, e.what()};
  }
}

}  // namespace graced
