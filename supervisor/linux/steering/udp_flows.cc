#include "linux/steering/udp_flows.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <system_error>
#include <utility>

#include "linux/base/duplicate.h"
#include "linux/base/sys_error.h"
#include "linux/steering/bpf_call.h"
#include "linux/steering/bpf_program.h"
#include "linux/steering/flow_program.h"

namespace graced {
namespace {

constexpr unsigned most_slots = most_choices;

}  // namespace

UdpFlows::Kept UdpFlows::kept() const {
  Kept kept{method_,      most_,        timeout_,     why_not_, groups_,     {},
            array_.get(), slots_.get(), flows_.get(), taken_,   last_serial_};
  for (const auto& [inode, s] : sockets_)
    kept.sockets.emplace(inode, Kept::Socket{s.key, s.fd.get(), s.slot, s.serial, s.lets_go});
  return kept;
}

UdpFlows::UdpFlows(Kept kept)
    : method_(kept.method),
      most_(kept.most),
      timeout_(kept.timeout),
      why_not_(std::move(kept.why_not)),
      groups_(std::move(kept.groups)),
      array_(kept.array),
      slots_(kept.slots),
      flows_(kept.flows),
      taken_(std::move(kept.taken)),
      last_serial_(kept.last_serial) {
  for (auto& [inode, s] : kept.sockets)
    sockets_.emplace(inode, Socket{std::move(s.key), Fd(s.fd), s.slot, s.serial, s.lets_go});
}

bool UdpFlows::join(const std::string& key, int fd, ino_t inode) {
  if (key.empty() || sockets_.contains(inode)) return false;
  sockets_.emplace(inode, Socket{key, duplicate(fd)});
  groups_[key].members.push_back(inode);
  return true;
}

bool UdpFlows::has_key(const std::string& key) const {
  return groups_.contains(key);
}

bool UdpFlows::is_directed(const std::string& key) const {
  const auto g = groups_.find(key);
  return g != groups_.end() && !g->second.chosen.empty();
}

void UdpFlows::direct(const std::string& key, const std::set<ino_t>& chosen) {
  if (chosen.empty()) return;
  Group& group = groups_.at(key);
  switch (method_) {
    case SteeringMethod::ebpf:
      direct_by_slots(chosen);
      break;
    case SteeringMethod::cbpf:
      direct_by_places(group, chosen);
      break;
    case SteeringMethod::none:
      throw sys_error_of(EOPNOTSUPP, "direct datagrams");
  }
  group.chosen = chosen;
}

void UdpFlows::make_maps() {
  if (array_) return;
  Fd array = make_socket_array(most_slots);
  slots_ = make_flow_slots(most_slots);
  if (most_ > 0) {
    try {
      flows_ = make_flows(most_);
    } catch (const std::system_error& error) {
      why_not_ = fmt::format("{} flows cannot be remembered: {}", most_, error.what());
    }
  }
  taken_.assign(most_slots, false);
  array_ = std::move(array);
}

void UdpFlows::direct_by_slots(const std::set<ino_t>& chosen) {
  make_maps();
  std::vector<unsigned> slots;
  for (const ino_t inode : chosen) slots.push_back(slot_for(sockets_.at(inode)));
  const FlowMaps maps{array_.get(), slots_.get(), flows_ ? flows_.get() : -1};
  const Fd program = load_flow_choice(maps, slots, timeout_);
  attach_program(sockets_.at(*chosen.begin()).fd.get(), program.get());
}

unsigned UdpFlows::slot_for(Socket& socket) {
  if (socket.slot) {
    if (socket.lets_go) say_whose(socket, socket.serial);
    socket.lets_go = false;
    return *socket.slot;
  }
  const auto free = std::ranges::find(taken_, false);
  if (free == taken_.end()) throw sys_error_of(ENOSPC, "more than {} datagram sockets", most_slots);
  const auto number = static_cast<unsigned>(free - taken_.begin());
  const FlowSlot slot{.serial = ++last_serial_};
  update_map(slots_.get(), number, &slot);
  put_into(array_.get(), number, socket.fd.get());
  *free = true;
  socket.slot = number;
  socket.serial = slot.serial;
  return number;
}

void UdpFlows::direct_by_places(const Group& group, const std::set<ino_t>& chosen) {
  std::vector<unsigned> places;
  for (const ino_t inode : chosen) {
    const auto at = std::ranges::find(group.members, inode);
    assert(at != group.members.end());
    places.push_back(static_cast<unsigned>(at - group.members.begin()));
  }
  attach_places_by_sender(sockets_.at(*chosen.begin()).fd.get(), places);
}

void UdpFlows::let_flows_go(ino_t inode) {
  const auto s = sockets_.find(inode);
  if (s == sockets_.end() || !s->second.slot) return;
  say_whose(s->second, 0);
  s->second.lets_go = true;
}

// Its counts stay, for whoever asks.
void UdpFlows::say_whose(const Socket& socket, std::uint32_t serial) {
  FlowSlot slot;
  if (!look_up(slots_.get(), *socket.slot, &slot)) return;
  slot.serial = serial;
  update_map(slots_.get(), *socket.slot, &slot);
}

bool UdpFlows::has_others(const std::set<ino_t>& held) const {
  return std::ranges::any_of(sockets_, [&](const auto& s) { return !held.contains(s.first); });
}

void UdpFlows::keep_only(const std::set<ino_t>& held) {
  std::set<std::string> changed;
  std::vector<ino_t> gone;
  for (const auto& [inode, socket] : sockets_) {
    if (!held.contains(inode)) gone.push_back(inode);
  }
  for (const ino_t inode : gone) {
    const std::string key = sockets_.at(inode).key;
    leave(inode, groups_.at(key));
    changed.insert(key);
  }
  for (const std::string& key : changed) {
    const Group& group = groups_.at(key);
    if (group.members.empty()) {
      groups_.erase(key);
    } else if (!group.chosen.empty()) {
      direct(key, std::set(group.chosen));
    }
  }
}

void UdpFlows::leave(ino_t inode, Group& group) {
  const auto s = sockets_.find(inode);
  if (s->second.slot) {
    const FlowSlot nobodys;
    update_map(slots_.get(), *s->second.slot, &nobodys);
    taken_[*s->second.slot] = false;
  }
  sockets_.erase(s);
  group.chosen.erase(inode);
  const auto hole = std::ranges::find(group.members, inode);
  // The kernel fills the hole with the last one.
  *hole = group.members.back();
  group.members.pop_back();
}

bool UdpFlows::anything_waits(ino_t inode) const {
  const auto s = sockets_.find(inode);
  if (s == sockets_.end()) return false;
  pollfd p{s->second.fd.get(), POLLIN, 0};
  return ::poll(&p, 1, 0) == 1 && (p.revents & POLLIN) != 0;
}

std::optional<UdpFlows::Heard> UdpFlows::heard(ino_t inode) const {
  const auto s = sockets_.find(inode);
  if (s == sockets_.end() || !s->second.slot) return std::nullopt;
  FlowSlot slot;
  if (!look_up(slots_.get(), *s->second.slot, &slot)) return std::nullopt;
  return Heard{slot.datagrams, Instant{std::chrono::nanoseconds(slot.last)}};
}

std::map<ino_t, std::uint64_t> UdpFlows::count_flows() const {
  std::map<ino_t, std::uint64_t> found;
  if (!flows_) return found;
  std::map<std::uint32_t, ino_t> by_serial;
  for (const auto& [inode, socket] : sockets_) {
    if (socket.slot && !socket.lets_go) by_serial.emplace(socket.serial, inode);
  }
  constexpr std::size_t at_once = 4096;
  std::vector<std::uint32_t> keys(at_once);
  std::vector<Flow> flows(at_once);
  const auto now = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  const auto timeout = static_cast<std::uint64_t>(timeout_.count());
  std::uint32_t position = 0;
  bool last = false;
  while (!last) {
    const unsigned many = look_up_some(flows_.get(), position, last, keys, flows.data());
    for (const Flow& f : std::span(flows).first(many)) {
      const auto of = by_serial.find(f.serial);
      if (of != by_serial.end() && f.last + timeout >= now) ++found[of->second];
    }
  }
  return found;
}

}  // namespace graced
