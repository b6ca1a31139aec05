// What the kernel does with these groups is in its net/core/sock_reuseport.c.
#include "linux/steering/steering.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <set>
#include <system_error>
#include <utility>

#include "linux/base/inode.h"
#include "linux/base/sys_error.h"

namespace graced {
namespace {

constexpr unsigned array_size = most_choices;  // 8 kB of kernel memory

// The kernel fills the hole with the last one.
void remove_member(std::vector<ReuseportGroup::Member>& members, ino_t inode) {
  const auto hole = std::ranges::find(members, inode, &ReuseportGroup::Member::inode);
  if (hole == members.end()) return;
  *hole = members.back();
  members.pop_back();
}

}  // namespace

void ReuseportGroup::joined(int fd, ino_t inode) {
  // listen() called twice is still one place in the list.
  if (std::ranges::find(members_, inode, &Member::inode) != members_.end()) return;
  members_.push_back({fd, inode});
}

void ReuseportGroup::leaves(const std::vector<ino_t>& inodes) {
  if (chosen_.empty() || method_ != SteeringMethod::cbpf) return;
  std::vector<Member> now = members_;
  std::set<ino_t> stay;
  for (const Member& m : members_) stay.insert(m.inode);
  for (const ino_t inode : inodes) {
    remove_member(now, inode);
    for (std::size_t place = 0; place < members_.size(); ++place) {
      if (place >= now.size() || now[place].inode != members_[place].inode) stay.erase(members_[place].inode);
    }
  }
  const auto staying = [&](std::span<const Member> members) {
    std::vector<Member> kept;
    std::ranges::copy_if(members, std::back_inserter(kept),
                         [&](const Member& m) { return stay.contains(m.inode); });
    return kept;
  };
  const std::vector<Member> chosen = staying(chosen_);
  if (chosen.empty()) return;
  try {
    direct_by_places(chosen, staying(probed_members()), staying(shared_members()));
  } catch (const std::system_error&) {}  // one that stopped listening by itself; all stays as it was
}

void ReuseportGroup::left(const std::vector<ino_t>& inodes) {
  bool was_chosen = false;
  for (const ino_t inode : inodes) {
    remove_member(members_, inode);
    std::ranges::replace(slots_, inode, ino_t{0});
    const auto is_gone = [&](const Member& m) { return m.inode == inode; };
    was_chosen = std::erase_if(chosen_, is_gone) > 0 || was_chosen;
    was_chosen = (probed_ && std::erase_if(probed_->members, is_gone) > 0) || was_chosen;
    was_chosen = (shared_ && std::erase_if(shared_->members, is_gone) > 0) || was_chosen;
  }
  if (chosen_.empty()) return;
  if (method_ == SteeringMethod::cbpf) direct(chosen_);
  if (method_ == SteeringMethod::ebpf && was_chosen) direct_by_slots(chosen_);
}

void ReuseportGroup::direct_to(std::span<const int> fds) {
  assert(!fds.empty());
  std::vector<Member> chosen;
  for (const int fd : fds) chosen.push_back({fd, inode_of(fd)});

  if (chosen.size() > array_size)
    throw sys_error_of(E2BIG, "direct new connections to {} sockets", chosen.size());
  direct(chosen);
  chosen_ = std::move(chosen);
}

void ReuseportGroup::probe(std::span<const std::uint16_t> first_ports, std::span<const int> fds) {
  assert(!chosen_.empty());
  probed_ = Probed{{first_ports.begin(), first_ports.end()}, {}};
  for (const int fd : fds) probed_->members.push_back({fd, inode_of(fd)});
  direct(chosen_);
}

ReuseportGroup::Kept ReuseportGroup::kept() const {
  Kept kept{method_, members_, chosen_, probed_, {}, spared_, array_.get(), slots_, queued_ == Queued::migrate};
  if (shared_) kept.shared = Kept::Shared{shared_->per_mille, shared_->members, shared_->counts.get()};
  return kept;
}

// The programs are attached still.
ReuseportGroup::ReuseportGroup(Kept kept)
    : method_(kept.method),
      members_(std::move(kept.members)),
      chosen_(std::move(kept.chosen)),
      probed_(std::move(kept.probed)),
      spared_(std::move(kept.spared)),
      array_(kept.array),
      slots_(std::move(kept.slots)),
      queued_(kept.migrates ? Queued::migrate : Queued::reset) {
  if (kept.shared)
    shared_ = Shared{kept.shared->per_mille, std::move(kept.shared->members), Fd(kept.shared->counts)};
}

void ReuseportGroup::probe_no_more() {
  if (!std::exchange(probed_, std::nullopt) || chosen_.empty()) return;
  direct(chosen_);
}

void ReuseportGroup::share(unsigned per_mille, std::span<const int> fds) {
  assert(!chosen_.empty());
  Shared next{per_mille, {}, {}};
  for (const int fd : fds) next.members.push_back({fd, inode_of(fd)});
  if (shared_) next.counts = std::move(shared_->counts);
  if (!next.counts && method_ == SteeringMethod::ebpf) next.counts = make_counts();
  shared_ = std::move(next);
  direct(chosen_);
}

void ReuseportGroup::share_no_more() {
  if (!std::exchange(shared_, std::nullopt) || chosen_.empty()) return;
  direct(chosen_);
}

void ReuseportGroup::spare(std::span<const std::uint16_t> first_ports) {
  const bool spared_any = spares_any();
  spared_.assign(first_ports.begin(), first_ports.end());
  if (!chosen_.empty() && (spared_any || spares_any())) direct(chosen_);
}

std::span<const ReuseportGroup::Member> ReuseportGroup::probed_members() const {
  return probed_ ? std::span<const Member>(probed_->members) : std::span<const Member>();
}

std::span<const ReuseportGroup::Member> ReuseportGroup::shared_members() const {
  return shared_ ? std::span<const Member>(shared_->members) : std::span<const Member>();
}

bool ReuseportGroup::spares_any() const {
  return shared_ && !shared_->members.empty() && !spared_.empty();
}

std::optional<ShareCounts> ReuseportGroup::share_counts() const {
  return shared_ && shared_->counts ? read_counts(shared_->counts.get()) : std::nullopt;
}

void ReuseportGroup::direct(std::span<const Member> chosen) {
  switch (method_) {
    case SteeringMethod::ebpf:
      direct_by_slots(chosen);
      break;
    case SteeringMethod::cbpf:
      direct_by_places(chosen, probed_members(), shared_members());
      break;
    case SteeringMethod::none:
      throw sys_error_of(EOPNOTSUPP, "direct new connections");
  }
}

void ReuseportGroup::direct_by_slots(std::span<const Member> chosen) {
  if (!array_) {
    array_ = make_socket_array(array_size);
    slots_.assign(array_size, 0);
  }
  std::vector<unsigned> slots;
  for (const Member& m : chosen) slots.push_back(slot_for(m));
  std::vector<unsigned> slots_of_probe;
  std::vector<ProbeChoice> probes;
  if (probed_) {
    for (const Member& m : probed_->members) slots_of_probe.push_back(slot_for(m));
    probes.push_back({probed_->first_ports, slots_of_probe});
  }
  if (spares_any()) probes.push_back({spared_, slots});
  std::vector<unsigned> slots_of_share;
  std::optional<SharedChoice> share;
  if (shared_ && !shared_->members.empty()) {
    for (const Member& m : shared_->members) slots_of_share.push_back(slot_for(m));
    share = SharedChoice{shared_->per_mille, slots_of_share, shared_->counts.get()};
  }
  const SharedChoice* const sharing = share ? &*share : nullptr;

  Fd program;
  try {
    program = load_choice(array_.get(), slots, queued_, probes, sharing);
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::invalid_argument || queued_ == Queued::reset) throw;
    queued_ = Queued::reset;  // Linux before 5.14
    program = load_choice(array_.get(), slots, queued_, probes, sharing);
  }
  attach_program(chosen.front().fd, program.get());
}

// Those chosen earlier keep their slots until they are closed: a processor that is still in the middle
// of the program before must find them.
unsigned ReuseportGroup::slot_for(const Member& member) {
  auto slot = std::ranges::find(slots_, member.inode);
  const bool known = slot != slots_.end();
  if (!known) slot = std::ranges::find(slots_, ino_t{0});
  if (slot == slots_.end()) throw sys_error_of(ENOSPC, "a socket array for more than {} sockets", array_size);
  const auto number = static_cast<unsigned>(slot - slots_.begin());
  try {
    put_into(array_.get(), number, member.fd);
  } catch (const std::system_error& error) {
    // Busy is what is in an array already: in this one, or else in one of the worker's own.
    if (!known || error.code() != std::errc::device_or_resource_busy) throw;
  }
  *slot = member.inode;
  return number;
}

void ReuseportGroup::direct_by_places(std::span<const Member> chosen, std::span<const Member> probed,
                                      std::span<const Member> sharing) {
  const std::vector<unsigned> places = places_of(chosen);
  std::vector<unsigned> places_of_probe;
  std::vector<ProbeChoice> probes;
  if (probed_) {
    places_of_probe = places_of(probed);
    probes.push_back({probed_->first_ports, places_of_probe});
  }
  if (spares_any()) probes.push_back({spared_, places});
  std::vector<unsigned> places_of_share;
  std::optional<SharedChoice> share;
  if (!sharing.empty()) {
    places_of_share = places_of(sharing);
    share = SharedChoice{shared_->per_mille, places_of_share};
  }
  attach_places(chosen.front().fd, places, probes, share ? &*share : nullptr);
}

std::vector<unsigned> ReuseportGroup::places_of(std::span<const Member> members) const {
  std::vector<unsigned> places;
  for (const Member& m : members) {
    const auto found = std::ranges::find(members_, m.inode, &Member::inode);
    if (found == members_.end())
      throw sys_error_of(ENOENT, "the place of listening socket {} in its group", m.fd);
    places.push_back(static_cast<unsigned>(found - members_.begin()));
  }
  return places;
}

}  // namespace graced
