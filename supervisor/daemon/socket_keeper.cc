#include "daemon/socket_keeper.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "linux/manager/unit_state.h"
#include "linux/sockets/group_key.h"

namespace graced {

namespace {

// Of the names in the manager's store, see FdStore.
constexpr std::string_view adopted_family = "graced.adopted.";

bool is_offered(const SocketKeeper::Variables& variables) {
  return FdStore::is_offered(variables.fdstore.value_or(""), variables.notify_socket.value_or(""));
}

}  // namespace

SocketKeeper::SocketKeeper(ServiceManager& manager, std::vector<StoredDescriptor> stored, Variables variables)
    : manager_(manager),
      variables_(std::move(variables)),
      store_(manager, std::move(stored), is_offered(variables_)),
      restored_(store_) {}

SocketKeeper::SocketKeeper(ServiceManager& manager, Variables variables, FdStore::Kept kept)
    : manager_(manager),
      variables_(std::move(variables)),
      store_(manager, is_offered(variables_), std::move(kept)),
      restored_(store_) {}

std::vector<Fd> SocketKeeper::take_adopted(bool wanted) {
  std::vector<Fd> adopted;
  for (StoredDescriptor& d : store_.take(adopted_family)) adopted.push_back(std::move(d.fd));
  if (!wanted && !adopted.empty()) store_.hold(adopted_family, {});
  return adopted;
}

bool SocketKeeper::is_followed(int exit_status) {
  if (followed_) return *followed_;
  followed_ = false;
  if (!manager_.anybody()) return false;
  const auto state = unit_state(variables_.notify_socket.value_or(""));
  // Who may not ask knows at least, from systemd 254 on, whether there is a store.
  followed_ = state ? graced::is_followed(*state, exit_status) : variables_.fdstore.has_value();
  return *followed_;
}

void SocketKeeper::store(const std::vector<PassedSocket>& sockets) {
  store_listeners(store_, sockets);
}

void SocketKeeper::store_adopted(const std::map<ino_t, int>& adopted,
                                 const std::vector<PassedSocket>& waiting_for) {
  std::map<std::string, int> descriptors;
  std::map<const Listener*, int> waiting;
  for (const auto& [inode, fd] : adopted) {
    const Listener* listener = nullptr;
    for (const PassedSocket& s : waiting_for) {
      if (s.switched && group_key(s.listener->fd()) == group_key(fd)) listener = s.listener.get();
    }
    if (listener) {
      waiting.emplace(listener, fd);
    } else {
      descriptors.emplace(fmt::format("{}{}", adopted_family, inode), fd);
    }
  }
  store_.hold(adopted_family, descriptors);
  if (!waiting.empty()) store_listeners(store_, waiting_for, waiting);
}

}  // namespace graced
