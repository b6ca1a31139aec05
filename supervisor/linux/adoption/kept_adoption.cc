#include "linux/adoption/kept_adoption.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace graced {

namespace {

std::string bytes_of(const SocketAddress& where) {
  return {reinterpret_cast<const char*>(where.get()), where.length};
}

SocketAddress address_of_bytes(const std::string& bytes) {
  SocketAddress where;
  where.length = static_cast<socklen_t>(std::min(bytes.size(), sizeof where.storage));
  std::memcpy(where.get(), bytes.data(), where.length);
  return where;
}

}  // namespace

AdoptedName::Kept AdoptedName::kept() const {
  return {text,       generation, worker,       directory.get(), file,   beside,
          file_found, unlinked,   moved_beside, socket,          holder, listening.get()};
}

AdoptedName::AdoptedName(Kept kept)
    : text(std::move(kept.text)),
      generation(kept.generation),
      worker(kept.worker),
      directory(kept.directory),
      file(std::move(kept.file)),
      beside(std::move(kept.beside)),
      file_found(kept.file_found),
      unlinked(kept.unlinked),
      moved_beside(kept.moved_beside),
      socket(kept.socket),
      holder(kept.holder),
      listening(kept.listening) {}

TakenNames taken_names(const std::vector<AdoptedName::Kept>& kept) {
  TakenNames names;
  for (const AdoptedName::Kept& name : kept) names.push_back(std::make_shared<AdoptedName>(name));
  return names;
}

AdoptedNames::Kept AdoptedNames::kept() const {
  Kept kept{.promoted = promoted_, .standby = standby_, .workers = workers_};
  for (const auto& name : all()) kept.names.push_back(name->kept());
  return kept;
}

AdoptedNames::AdoptedNames(const Kept& kept, const TakenNames& names)
    : names_(names.begin(), names.end()),
      promoted_(kept.promoted),
      standby_(kept.standby),
      workers_(kept.workers) {}

unsigned AdoptedNames::number(const std::shared_ptr<AdoptedName>& name) const {
  const auto names = all();
  return static_cast<unsigned>(std::ranges::find(names, name) - names.begin());
}

AdoptedSocket::Kept kept_of(const AdoptedSocket& socket, const AdoptedNames& names) {
  AdoptedSocket::Kept kept{.key = socket.key,
                           .address = socket.address,
                           .pattern = socket.pattern,
                           .inode = socket.inode,
                           .fd = socket.fd.get(),
                           .listening = socket.listening,
                           .hidden = socket.hidden,
                           .predeclared = socket.predeclared,
                           .datagrams = socket.datagrams,
                           .holder = socket.holder};
  if (socket.name) kept.name = names.number(socket.name);
  for (const auto& name : socket.second_names) kept.second_names.push_back(names.number(name));
  return kept;
}

AdoptedSocket taken_over(AdoptedSocket::Kept kept, const TakenNames& names) {
  AdoptedSocket socket;
  socket.key = std::move(kept.key);
  socket.address = std::move(kept.address);
  socket.pattern = std::move(kept.pattern);
  socket.inode = kept.inode;
  socket.fd.reset(kept.fd);
  socket.listening = kept.listening;
  socket.hidden = kept.hidden;
  socket.predeclared = kept.predeclared;
  socket.datagrams = kept.datagrams;
  socket.holder = kept.holder;
  if (kept.name) socket.name = names.at(*kept.name);
  for (const unsigned number : kept.second_names) socket.second_names.push_back(names.at(number));
  return socket;
}

WorkerBindings::Kept WorkerBindings::kept(const AdoptedNames& names) const {
  Kept kept{.notifications = notifications_.get(),
            .wait_killable = wait_killable_,
            .look_again_at = look_again_at_,
            .last_bind = {last_bind_.thread, last_bind_.socket, ""},
            .passed_through = passed_through_,
            .notes = notes_,
            .noted = noted_,
            .changes = changes_};
  if (last_bind_.socket != 0) kept.last_bind.where = bytes_of(last_bind_.where);
  for (const Predeclared& ours : predeclared_) kept.predeclared.push_back({ours.key, ours.fd});
  for (const AdoptedSocket& socket : sockets_) kept.sockets.push_back(kept_of(socket, names));
  return kept;
}

WorkerBindings::WorkerBindings(Kept kept, const TakenNames& names)
    : notifications_(Fd(kept.notifications)),
      wait_killable_(kept.wait_killable),
      look_again_at_(kept.look_again_at),
      last_bind_{kept.last_bind.thread, kept.last_bind.socket, address_of_bytes(kept.last_bind.where)},
      passed_through_(std::move(kept.passed_through)),
      notes_(std::move(kept.notes)),
      noted_(std::move(kept.noted)),
      changes_(kept.changes) {
  for (Kept::Predeclared& ours : kept.predeclared) predeclared_.push_back({std::move(ours.key), ours.fd});
  for (AdoptedSocket::Kept& socket : kept.sockets) sockets_.push_back(taken_over(std::move(socket), names));
}

Adoption::Kept Adoption::kept(const AdoptedNames& names) const {
  return {worker_.kept(names), unix_.kept()};
}

Adoption::Adoption(Kept kept, AdoptedNames& names, const TakenNames& taken, Arrives arrives,
                   TakesDatagrams takes_datagrams)
    : worker_(std::move(kept.worker), taken),
      unix_(worker_, kept.binder, names),
      arrives_(std::move(arrives)),
      takes_datagrams_(std::move(takes_datagrams)) {}

}  // namespace graced
