#include "handoff/stored_listeners.h"

#include <algorithm>

#include "linux/sockets/listen_socket.h"

namespace graced {

RestoredListeners::RestoredListeners(FdStore& store) : store_(store) {
  for (StoredDescriptor& d : store.take(StoreName::family)) {
    if (auto name = parse_store_name(d.name)) kept_.push_back({std::move(*name), std::move(d.fd)});
  }
}

std::vector<std::shared_ptr<Listener>> RestoredListeners::take(const ListenSpec& spec, unsigned occurrence) {
  const std::string key = store_key(spec);
  std::vector<Kept*> found;
  for (Kept& k : kept_) {
    if (k.fd && k.name.address == key && k.name.occurrence == occurrence) found.push_back(&k);
  }
  // One of several addresses of a host name may be missing: then they are bound anew, all or none.
  if (found.empty() || found.size() != found.front()->name.count) return {};
  std::ranges::sort(found, {}, [](const Kept* k) { return k->name.index; });

  std::vector<std::shared_ptr<Listener>> listeners;
  for (Kept* k : found) {
    auto listener = Listener::restored(spec, std::move(k->fd), {k->name.device, k->name.inode});
    if (!listener) return {};
    listeners.push_back(std::move(listener));
  }
  taken_.insert(taken_.end(), listeners.begin(), listeners.end());
  std::erase_if(kept_, [&](const Kept& k) { return k.name.address == key && k.name.occurrence == occurrence; });
  return listeners;
}

void RestoredListeners::drop_rest() {
  if (kept_.empty()) return;
  for (const Kept& k : kept_) {
    if (k.fd) stop_listening(k.fd.get());  // from systemd 254 on the store closes when it finds the time
    store_.drop(to_text(k.name));
  }
  kept_.clear();
  store_.settle();
}

void store_listeners(FdStore& store, const std::vector<PassedSocket>& sockets,
                     const std::map<const Listener*, int>& instead) {
  if (!store.offered()) return;
  // By --listen, in its order, as each may have several.
  std::map<std::size_t, std::vector<const Listener*>> by_spec;
  for (const PassedSocket& s : sockets) {
    if (s.spec && s.listener->made_by_graced() && !s.listener->stands_in())
      by_spec[*s.spec].push_back(s.listener.get());
  }
  std::map<std::string, unsigned> occurrences;
  std::map<std::string, int> descriptors;
  for (const auto& [spec, listeners] : by_spec) {
    const std::string key = store_key(listeners.front()->spec());
    const unsigned occurrence = occurrences[key]++;
    for (unsigned i = 0; i < listeners.size(); ++i) {
      const FileId file = listeners[i]->file();
      const StoreName name{key,         occurrence, i, static_cast<unsigned>(listeners.size()),
                           file.device, file.inode};
      const auto other = instead.find(listeners[i]);
      descriptors.emplace(to_text(name), other == instead.end() ? listeners[i]->fd() : other->second);
    }
  }
  store.hold(StoreName::family, descriptors);
}

}  // namespace graced
