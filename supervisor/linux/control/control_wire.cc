// Each type of a report with its D-Bus signature, written and read by the same list of fields.
#include "linux/control/control_wire.h"

#include <algorithm>
#include <array>
#include <limits>
#include <type_traits>

#include "core/utf8.h"
#include "linux/base/sys_error.h"

namespace graced::control {
namespace {

constexpr std::uint64_t no_time = std::numeric_limits<std::uint64_t>::max();

int must(int result) {
  if (result < 0) throw sys_error_of(result, "carry the status");
  return result;
}

std::uint64_t to_microseconds(Duration d) {
  if (d == infinity) return no_time;
  return static_cast<std::uint64_t>(
      std::max<std::int64_t>(0, std::chrono::floor<std::chrono::microseconds>(d).count()));
}

Duration from_microseconds(std::uint64_t us) {
  constexpr auto most = static_cast<std::uint64_t>(infinity.count() / 1000);
  return us > most ? infinity : std::chrono::microseconds(static_cast<std::int64_t>(us));
}

constexpr std::uint64_t no_memory = UINT64_MAX;  // not known
constexpr std::uint64_t not_counted = UINT64_MAX;
constexpr std::uint32_t no_count = UINT32_MAX;  // nor this
constexpr std::int32_t no_status = -1;          // it did not exit with one

// One type, its signature, and both ways.

template <class T>
constexpr const char* signature_of = nullptr;
template <>
constexpr const char* signature_of<std::uint64_t> = "t";
template <>
constexpr const char* signature_of<std::uint32_t> = "u";
template <>
constexpr const char* signature_of<std::int32_t> = "i";
template <>
constexpr const char* signature_of<bool> = "b";
template <>
constexpr const char* signature_of<std::string> = "s";
template <>
constexpr const char* signature_of<Duration> = "t";
template <>
constexpr const char* signature_of<std::optional<Duration>> = "t";
template <>
constexpr const char* signature_of<std::optional<ExitReport>> = "(tuisisttas)";
template <>
constexpr const char* signature_of<WorkerReport> = "(tuisttsassuuts)";
template <>
constexpr const char* signature_of<AddressReport> = "(sss)";
template <>
constexpr const char* signature_of<std::optional<ReloadReport>> = "(tbstt)";
template <>
constexpr const char* signature_of<std::optional<ReplacementReport>> = "(ttbst)";
template <>
constexpr const char* signature_of<std::optional<CheckReport>> = "(st)";
template <>
constexpr const char* signature_of<std::optional<BatchesReport>> = "(uuubu)";
template <>
constexpr const char* signature_of<ProbeReport> = "(sbuus)";
template <>
constexpr const char* signature_of<std::vector<ProbeReport>> = "a(sbuus)";
template <>
constexpr const char* signature_of<std::optional<CanaryReport>> = "(uuuttt)";
template <>
constexpr const char* signature_of<std::optional<UpgradeReport>> = "(sbssst)";
template <>
constexpr const char* signature_of<std::vector<std::string>> = "as";
template <>
constexpr const char* signature_of<std::vector<WorkerReport>> = "a(tuisttsassuuts)";
template <>
constexpr const char* signature_of<std::vector<AddressReport>> = "a(sss)";
template <>
constexpr const char* signature_of<GenerationReport> = "(ttt)";
template <>
constexpr const char* signature_of<std::vector<GenerationReport>> = "a(ttt)";
template <>
constexpr const char* signature_of<DatagramReport> = "(ttt)";
template <>
constexpr const char* signature_of<std::vector<DatagramReport>> = "a(ttt)";

// What a container holds: its signature without the brackets or the leading 'a'.
std::string inside(std::string_view signature) {
  signature.remove_prefix(1);
  if (signature.ends_with(')') && signature.find('(') == std::string_view::npos) signature.remove_suffix(1);
  return std::string(signature);
}

struct Appending {
  sd_bus_message* message;

  template <class T>
  requires std::is_arithmetic_v<T>
  void operator()(const T& number) const {
    if constexpr (std::is_same_v<T, bool>) {
      const int truth = number ? 1 : 0;
      must(sd_bus_message_append_basic(message, 'b', &truth));
    } else {
      must(sd_bus_message_append_basic(message, signature_of<T>[0], &number));
    }
  }
  void operator()(const std::string& text) const {
    must(sd_bus_message_append_basic(message, 's', to_utf8(text).c_str()));
  }
  void operator()(Duration d) const { (*this)(to_microseconds(d)); }
  void operator()(const std::optional<Duration>& d) const { (*this)(d ? to_microseconds(*d) : no_time); }
  void operator()(const std::optional<std::uint32_t>& n) const { (*this)(n.value_or(no_count)); }

  template <class... Fields>
  void structure(const char* signature, const Fields&... fields) const {
    must(sd_bus_message_open_container(message, 'r', inside(signature).c_str()));
    ((*this)(fields), ...);
    must(sd_bus_message_close_container(message));
  }
  void operator()(const WorkerReport& w) const {
    structure(signature_of<WorkerReport>, w.generation, w.slot, w.pid, w.state, w.age, w.left, w.status,
              w.last_lines, w.waits_for, w.connections, w.queued, w.quiet, w.then);
  }
  void operator()(const AddressReport& a) const {
    structure(signature_of<AddressReport>, a.name, a.address, a.handoff);
  }
  void operator()(const std::optional<BatchesReport>& batches) const {
    const BatchesReport b = batches.value_or(BatchesReport{});
    structure(signature_of<std::optional<BatchesReport>>, b.count, b.serve, b.size, b.under_way, b.leaving);
  }
  void operator()(const std::optional<CheckReport>& check) const {
    const CheckReport c = check.value_or(CheckReport{.command = "", .age = infinity});
    structure(signature_of<std::optional<CheckReport>>, c.command, c.age);
  }
  void operator()(const ProbeReport& p) const {
    structure(signature_of<ProbeReport>, p.what, p.passed, p.passes, p.fails, p.saw);
  }
  void operator()(const std::optional<CanaryReport>& canary) const {
    const CanaryReport c = canary.value_or(CanaryReport{});
    structure(signature_of<std::optional<CanaryReport>>, c.per_mille, c.step, c.steps, c.left,
              c.of_candidate.value_or(not_counted), c.of_serving.value_or(not_counted));
  }
  void operator()(const GenerationReport& g) const {
    structure(signature_of<GenerationReport>, g.generation, g.memory.value_or(no_memory), g.cpu);
  }
  void operator()(const std::optional<ReplacementReport>& replacement) const {
    const ReplacementReport r = replacement.value_or(ReplacementReport{});
    structure(signature_of<std::optional<ReplacementReport>>, r.generation, r.by, r.ok, r.why, r.age);
  }
  void operator()(const DatagramReport& d) const {
    structure(signature_of<DatagramReport>, d.generation, d.flows, d.datagrams);
  }
  void operator()(const std::optional<ReloadReport>& reload) const {
    const ReloadReport r = reload.value_or(ReloadReport{});
    structure(signature_of<std::optional<ReloadReport>>, r.generation, r.ok, r.why, r.age, r.took);
  }
  void operator()(const std::optional<UpgradeReport>& upgrade) const {
    const UpgradeReport u = upgrade.value_or(UpgradeReport{});
    structure(signature_of<std::optional<UpgradeReport>>, u.token, u.ok, u.why, u.from, u.to, u.age);
  }
  void operator()(const std::optional<ExitReport>& exit) const {
    const ExitReport e = exit.value_or(ExitReport{});
    structure(signature_of<std::optional<ExitReport>>, e.generation, e.slot, e.pid, e.how,
              e.status.value_or(no_status), e.signal, e.age, e.lived, e.last_lines);
  }
  template <class T>
  void operator()(const std::vector<T>& elements) const {
    must(sd_bus_message_open_container(message, 'a', inside(signature_of<std::vector<T>>).c_str()));
    for (const T& element : elements) (*this)(element);
    must(sd_bus_message_close_container(message));
  }
};

struct Reading {
  sd_bus_message* message;

  template <class T>
  requires std::is_arithmetic_v<T>
  void operator()(T& number) const {
    if constexpr (std::is_same_v<T, bool>) {
      int truth = 0;
      must(sd_bus_message_read_basic(message, 'b', &truth));
      number = truth != 0;
    } else {
      must(sd_bus_message_read_basic(message, signature_of<T>[0], &number));
    }
  }
  void operator()(std::string& text) const {
    const char* borrowed = nullptr;
    must(sd_bus_message_read_basic(message, 's', &borrowed));
    text = borrowed != nullptr ? borrowed : "";
  }
  void operator()(Duration& d) const {
    std::uint64_t us = 0;
    (*this)(us);
    d = from_microseconds(us);
  }
  void operator()(std::optional<Duration>& d) const {
    std::uint64_t us = 0;
    (*this)(us);
    d.reset();
    if (us != no_time) d = from_microseconds(us);
  }
  void operator()(std::optional<std::uint32_t>& n) const {
    std::uint32_t count = 0;
    (*this)(count);
    n.reset();
    if (count != no_count) n = count;
  }

  template <class... Fields>
  void structure(const char* signature, Fields&... fields) const {
    must(sd_bus_message_enter_container(message, 'r', inside(signature).c_str()));
    ((*this)(fields), ...);
    must(sd_bus_message_exit_container(message));
  }
  void operator()(WorkerReport& w) const {
    structure(signature_of<WorkerReport>, w.generation, w.slot, w.pid, w.state, w.age, w.left, w.status,
              w.last_lines, w.waits_for, w.connections, w.queued, w.quiet, w.then);
  }
  void operator()(AddressReport& a) const {
    structure(signature_of<AddressReport>, a.name, a.address, a.handoff);
  }
  void operator()(ProbeReport& p) const {
    structure(signature_of<ProbeReport>, p.what, p.passed, p.passes, p.fails, p.saw);
  }
  void operator()(std::optional<CanaryReport>& canary) const {
    CanaryReport c;
    std::uint64_t of_candidate = not_counted;
    std::uint64_t of_serving = not_counted;
    structure(signature_of<std::optional<CanaryReport>>, c.per_mille, c.step, c.steps, c.left, of_candidate,
              of_serving);
    if (of_candidate != not_counted) c.of_candidate = of_candidate;
    if (of_serving != not_counted) c.of_serving = of_serving;
    canary.reset();
    if (c.steps != 0) canary = c;
  }
  void operator()(GenerationReport& g) const {
    std::uint64_t memory = no_memory;
    structure(signature_of<GenerationReport>, g.generation, memory, g.cpu);
    if (memory != no_memory) g.memory = memory;
  }
  void operator()(std::optional<BatchesReport>& batches) const {
    BatchesReport b;
    structure(signature_of<std::optional<BatchesReport>>, b.count, b.serve, b.size, b.under_way, b.leaving);
    batches.reset();
    if (b.count != 0) batches = b;
  }
  void operator()(DatagramReport& d) const {
    structure(signature_of<DatagramReport>, d.generation, d.flows, d.datagrams);
  }
  void operator()(std::optional<CheckReport>& check) const {
    CheckReport c;
    structure(signature_of<std::optional<CheckReport>>, c.command, c.age);
    check.reset();
    if (c.age != infinity && (!c.command.empty() || c.age > 0s)) check = std::move(c);  // 0: of 0.1.0, none
  }
  void operator()(std::optional<ReplacementReport>& replacement) const {
    ReplacementReport r;
    structure(signature_of<std::optional<ReplacementReport>>, r.generation, r.by, r.ok, r.why, r.age);
    replacement.reset();
    if (r.generation != 0) replacement = std::move(r);
  }
  void operator()(std::optional<ReloadReport>& reload) const {
    ReloadReport r;
    structure(signature_of<std::optional<ReloadReport>>, r.generation, r.ok, r.why, r.age, r.took);
    reload.reset();
    if (r.generation != 0) reload = std::move(r);
  }
  void operator()(std::optional<UpgradeReport>& upgrade) const {
    UpgradeReport u;
    structure(signature_of<std::optional<UpgradeReport>>, u.token, u.ok, u.why, u.from, u.to, u.age);
    upgrade.reset();
    if (!u.from.empty()) upgrade = std::move(u);
  }
  void operator()(std::optional<ExitReport>& exit) const {
    ExitReport e;
    std::int32_t status = no_status;
    structure(signature_of<std::optional<ExitReport>>, e.generation, e.slot, e.pid, e.how, status, e.signal,
              e.age, e.lived, e.last_lines);
    if (status != no_status) e.status = status;
    exit.reset();
    if (e.generation != 0) exit = std::move(e);
  }
  template <class T>
  void operator()(std::vector<T>& elements) const {
    elements.clear();
    must(sd_bus_message_enter_container(message, 'a', inside(signature_of<std::vector<T>>).c_str()));
    while (must(sd_bus_message_at_end(message, 0)) == 0) (*this)(elements.emplace_back());
    must(sd_bus_message_exit_container(message));
  }
};

template <auto Member>
constexpr Property property(const char* name, bool constant = false) {
  using T = std::remove_reference_t<decltype(std::declval<InstanceReport&>().*Member)>;
  return {name, signature_of<T>, constant,
          [](sd_bus_message* m, const InstanceReport& report) { Appending{m}(report.*Member); },
          [](sd_bus_message* m, InstanceReport& report) { Reading{m}(report.*Member); }};
}

using R = InstanceReport;
constexpr std::array table{
    property<&R::name>("Name", true),
    property<&R::version>("Version", true),
    property<&R::pid>("Pid", true),
    property<&R::phase>("Phase"),
    property<&R::age>("AgeUSec"),
    property<&R::command>("Command"),
    property<&R::executable>("Executable"),
    property<&R::executable_replaced>("ExecutableReplaced"),
    property<&R::changed>("ChangedFiles"),
    property<&R::config>("Config"),
    property<&R::serving>("Serving"),
    property<&R::candidate>("Candidate"),
    property<&R::standby>("Standby"),
    property<&R::probation_left>("ProbationUSec"),
    property<&R::workers_asked>("WorkersAsked"),
    property<&R::workers_missing>("WorkersMissing"),
    property<&R::check>("Check"),
    property<&R::batches>("Batches"),
    property<&R::probes>("Probes"),
    property<&R::canary>("Canary"),
    property<&R::watched>("WatchedBy"),
    property<&R::replaces>("Replaces"),
    property<&R::last_replacement>("LastReplacement"),
    property<&R::workers>("Workers"),
    property<&R::addresses>("Addresses"),
    property<&R::generations>("Generations"),
    property<&R::datagrams>("Datagrams"),
    property<&R::last_reload>("LastReload"),
    property<&R::last_exit>("LastExit"),
    property<&R::reloads>("Reloads"),
    property<&R::failed_reloads>("FailedReloads"),
    property<&R::rollbacks>("Rollbacks"),
    property<&R::restarts>("Restarts"),
    property<&R::reload_queued>("ReloadQueued"),
    property<&R::next_restart>("NextRestartUSec"),
    property<&R::upgraded_from>("UpgradedFrom"),
    property<&R::upgraded>("UpgradedUSec"),
    property<&R::last_upgrade>("LastUpgrade"),
    property<&R::upgrade_waits_for>("UpgradeWaitsFor"),
    property<&R::upgrades>("Upgrades"),
    property<&R::failed_upgrades>("FailedUpgrades"),
    property<&R::self_upgrade>("SelfUpgrade"),
};

// How many bytes the UTF-8 character at the start of `text` has; 0 if there is none.
std::size_t character_length(std::string_view text) {
  if (text[0] == '\0') return 0;  // D-Bus strings end there
  return decode_utf8(text).length;
}

}  // namespace

std::span<const Property> properties() {
  return table;
}

const Property* find_property(std::string_view name) {
  const auto found = std::ranges::find(table, name, &Property::name);
  return found == table.end() ? nullptr : &*found;
}

std::string to_utf8(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    clean += length > 0 ? text.substr(0, length) : "\xef\xbf\xbd";
    text.remove_prefix(std::max<std::size_t>(1, length));
  }
  return clean;
}

}  // namespace graced::control
