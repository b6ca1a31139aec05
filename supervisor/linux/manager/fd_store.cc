// What is in the store already, and what the manager has to be told.
#include "linux/manager/fd_store.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace graced {

namespace {

// As long as sd_notify_barrier() in systemd's own tools.
constexpr int patience_ms = 5000;

}  // namespace

bool FdStore::is_offered(const std::string& fdstore, const std::string& notify_socket) {
  return fdstore.empty() ? notify_socket.ends_with("/systemd/notify") : fdstore != "0";
}

FdStore::FdStore(ServiceManager& manager, std::vector<StoredDescriptor> restored, bool offered)
    : manager_(manager), offered_(offered), restored_(std::move(restored)) {
  for (const StoredDescriptor& d : restored_) held_.emplace(d.name, file_id(d.fd.get()));
}

std::vector<StoredDescriptor> FdStore::take(std::string_view family) {
  std::vector<StoredDescriptor> taken;
  std::erase_if(restored_, [&](StoredDescriptor& d) {
    if (!d.name.starts_with(family)) return false;
    taken.push_back(std::move(d));
    return true;
  });
  return taken;
}

void FdStore::hold(std::string_view family, const std::map<std::string, int>& descriptors) {
  std::vector<std::string> gone;
  for (const auto& [name, identity] : held_) {
    if (name.starts_with(family) && !descriptors.contains(name)) gone.push_back(name);
  }
  for (const std::string& name : gone) drop(name);
  for (const auto& [name, fd] : descriptors) keep(name, fd);
}

void FdStore::keep(const std::string& name, int fd) {
  if (!offered()) return;
  const auto had = held_.find(name);
  if (had != held_.end() && had->second == file_id(fd)) return;
  if (had != held_.end()) drop(name);
  Fd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!copy) return;  // it is not stored then; those who use it still have it
  manager_.send_descriptor("FDSTORE=1\nFDPOLL=0\nFDNAME=" + name + "\n", std::move(copy));
  held_.emplace(name, file_id(fd));
}

void FdStore::drop(const std::string& name) {
  if (held_.erase(name) != 0) manager_.send("FDSTOREREMOVE=1\nFDNAME=" + name + "\n");
}

// The manager closes the pipe that comes with BARRIER=1 when it has read everything before it.
void FdStore::settle() {
  int ends[2];
  if (!offered() || ::pipe2(ends, O_CLOEXEC) != 0) return;
  const Fd read_end(ends[0]);
  manager_.send_descriptor("BARRIER=1", Fd(ends[1]));
  if (manager_.behind()) return;
  pollfd closed{.fd = read_end.get(), .events = 0, .revents = 0};
  ::poll(&closed, 1, patience_ms);
}

}  // namespace graced
