#include "linux/steering/steering_groups.h"

#include <algorithm>
#include <map>
#include <utility>

#include "linux/base/duplicate.h"
#include "linux/sockets/hiding.h"
#include "linux/sockets/listen_socket.h"

namespace graced {

SteeringGroups::Kept SteeringGroups::kept() const {
  Kept kept{method_, {}, {}, spared_};
  for (const auto& [key, group] : groups_) kept.groups.emplace(key, group.kept());
  for (const auto& [inode, socket] : sockets_)
    kept.sockets.emplace(inode, Kept::Socket{socket.key, socket.fd.get()});
  return kept;
}

SteeringGroups::SteeringGroups(Kept kept) : method_(kept.method), spared_(std::move(kept.spared)) {
  for (auto& [key, group] : kept.groups) groups_.emplace(key, ReuseportGroup(std::move(group)));
  for (auto& [inode, socket] : kept.sockets)
    sockets_.emplace(inode, Socket{std::move(socket.key), Fd(socket.fd)});
}

bool SteeringGroups::join(const std::string& key, int fd, ino_t inode) {
  if (key.empty() || sockets_.contains(inode)) return false;
  const Fd& kept = sockets_.emplace(inode, Socket{key, duplicate(fd)}).first->second.fd;
  const auto [group, is_new] = groups_.try_emplace(key, method_);
  if (is_new) group->second.spare(spared_);
  group->second.joined(kept.get(), inode);
  return true;
}

bool SteeringGroups::has_others(const std::set<ino_t>& held) const {
  return std::ranges::any_of(sockets_, [&](const auto& s) { return !held.contains(s.first); });
}

bool SteeringGroups::shut_at_last(ino_t inode) {
  const auto socket = sockets_.find(inode);
  if (socket == sockets_.end()) return false;
  socket->second.to_be_shut = true;
  return true;
}

void SteeringGroups::keep_only(const std::set<ino_t>& held) {
  std::map<std::string, std::vector<ino_t>> gone;
  for (const auto& [inode, socket] : sockets_) {
    if (!held.contains(inode)) gone[socket.key].push_back(inode);
  }
  // All of an address at once: what is still there of one worker listens no more.
  for (const auto& [key, inodes] : gone) {
    ReuseportGroup& group = groups_.at(key);
    group.leaves(inodes);
    for (const ino_t inode : inodes) {
      const auto socket = sockets_.find(inode);
      if (socket->second.to_be_shut) stop_listening(socket->second.fd.get());
      sockets_.erase(socket);
    }
    group.left(inodes);
  }
  const std::set<std::string> left = keys();
  std::erase_if(groups_, [&](const auto& g) { return !left.contains(g.first); });
}

void SteeringGroups::forget(const std::string& key) {
  std::erase_if(sockets_, [&](const auto& s) { return s.second.key == key; });
  groups_.erase(key);
}

void SteeringGroups::direct(const std::string& key, const std::vector<ino_t>& chosen) {
  std::vector<int> fds;
  for (const ino_t inode : chosen) fds.push_back(sockets_.at(inode).fd.get());
  groups_.at(key).direct_to(fds);
}

std::vector<int> SteeringGroups::borrowed(const std::set<ino_t>& inodes) const {
  std::vector<int> fds;
  for (const ino_t inode : inodes) fds.push_back(sockets_.at(inode).fd.get());
  return fds;
}

void SteeringGroups::probe(const std::string& key, std::span<const std::uint16_t> first_ports,
                           const std::set<ino_t>& probed) {
  ReuseportGroup& group = groups_.at(key);
  if (group.is_directed()) group.probe(first_ports, borrowed(probed));
}

void SteeringGroups::probe_no_more() {
  for (auto& [key, group] : groups_) group.probe_no_more();
}

bool SteeringGroups::share(const std::string& key, unsigned per_mille, const std::set<ino_t>& shared) {
  ReuseportGroup& group = groups_.at(key);
  if (group.is_directed()) group.share(per_mille, borrowed(shared));
  return group.is_directed();
}

void SteeringGroups::spare(std::span<const std::uint16_t> first_ports) {
  spared_.assign(first_ports.begin(), first_ports.end());
  for (auto& [key, group] : groups_) group.spare(spared_);
}

void SteeringGroups::share_no_more() {
  for (auto& [key, group] : groups_) group.share_no_more();
}

void SteeringGroups::forget_shares() {
  for (auto& [key, group] : groups_) group.forget_share();
}

std::optional<ShareCounts> SteeringGroups::share_counts() const {
  std::optional<ShareCounts> all;
  for (const auto& [key, group] : groups_) {
    const auto counts = group.share_counts();
    if (!counts) continue;
    if (!all) all.emplace();
    all->shared += counts->shared;
    all->others += counts->others;
  }
  return all;
}

void SteeringGroups::hide(const std::string& key) {
  for (const auto& [inode, socket] : sockets_) {
    if (socket.key == key && !is_unseen(socket.fd.get())) graced::hide(socket.fd.get(), Hidden::Way::unseen);
  }
}

std::set<std::string> SteeringGroups::keys() const {
  std::set<std::string> keys;
  for (const auto& [inode, socket] : sockets_) keys.insert(socket.key);
  return keys;
}

bool SteeringGroups::has(const std::string& key, ino_t inode) const {
  const auto s = sockets_.find(inode);
  return s != sockets_.end() && s->second.key == key;
}

int SteeringGroups::any_of(const std::string& key) const {
  return std::ranges::find_if(sockets_, [&](const auto& s) { return s.second.key == key; })->second.fd.get();
}

}  // namespace graced
