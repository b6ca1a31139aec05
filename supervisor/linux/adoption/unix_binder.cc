#include "linux/adoption/unix_binder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <utility>

#include "core/printable.h"
#include "linux/adoption/filesystem_identity.h"
#include "linux/base/inode.h"
#include "linux/base/path_parts.h"
#include "linux/base/unix_address.h"

namespace graced {

namespace {

std::string name_in(const SocketAddress& where) {
  return std::string(unix_name(where.get(), where.length));
}

bool is_bound(int fd) {
  SocketAddress local;
  return ::getsockname(fd, local.get(), &local.length) == 0 && !name_in(local).empty();
}

}  // namespace

UnixBinder::Verdict UnixBinder::on_bind(const AdoptionRequest& request, const SocketAddress& where, Fd socket) {
  const ino_t inode = inode_of(socket.get());
  if (is_bound(socket.get())) return worker_.bind_again(inode);
  const std::string name = name_in(where);
  if (name[0] == '\0') return bind_abstract(request, where, std::move(socket), "@" + name.substr(1));

  const PathParts parts = parts_of(name);
  if (parts.file.empty()) return std::nullopt;
  Fd directory;
  {
    const FilesystemIdentity identity(request.thread);
    if (identity) directory = open_directory(AT_FDCWD, parts.directory);
  }
  if (!worker_.still_asks(request)) return 0;
  if (!directory) {
    worker_.pass(address_text(where, AddressKind::unix_stream));
    return std::nullopt;
  }
  const std::string path = path_in(directory, parts.file);

  if (const auto* ours = worker_.predeclared("unix " + path))
    return worker_.take_predeclared(request, *ours, socket);
  const auto mine = [&] { return names_.of_generation(generation_, directory, parts.file); };
  if (mine() && mine()->worker == id_) worker_.forget_closed();
  if (const auto known = mine()) {
    if (known->worker != id_) return share(request, known);
    if (!known->unlinked) return EADDRINUSE;
  }

  auto bound = std::make_shared<AdoptedName>();
  bound->text = path;
  bound->generation = generation_;
  bound->worker = id_;
  bound->file = parts.file;
  bound->socket = inode;
  bound->holder = {request.thread, request.fd};
  if (names_.in_place(directory, parts.file))
    bound->beside = free_name_beside(directory, parts.file, generation_);
  if (const int failed = bind_as_worker(request, where, socket, directory, bound->beside); failed != 0) {
    return failed > 0 ? Verdict(failed) : std::nullopt;
  }

  const std::string& file = bound->beside.empty() ? bound->file : bound->beside;
  struct stat made {};
  if (::fstatat(directory.get(), file.c_str(), &made, AT_SYMLINK_NOFOLLOW) == 0)
    bound->file_found = file_id(made);
  bound->directory = std::move(directory);
  names_.add(bound);
  worker_.add(request, "unix " + path, "unix " + printable(path), inode, bound);
  return 0;
}

// With the worker's rights: graced's own would let it make files where it may not. The worker's own string,
// so that getsockname(2) tells it that. 0, an errno, or -1: graced cannot take the worker's place.
int UnixBinder::bind_as_worker(const AdoptionRequest& request, const SocketAddress& where, const Fd& socket,
                               const Fd& directory, const std::string& beside) {
  const FilesystemIdentity identity(request.thread);
  if (!identity || !worker_.still_asks(request)) return -1;
  if (beside.empty()) return ::bind(socket.get(), where.get(), where.length) == 0 ? 0 : errno;
  const std::string name = name_in(where);
  auto place = unix_path_address(name.substr(0, name.rfind('/') + 1) + beside);
  if (!place) {  // too long with its directory: from inside of that
    if (::fchdir(directory.get()) != 0) return errno;
    place = unix_path_address(beside);
  }
  return place && ::bind(socket.get(), place->get(), place->length) == 0 ? 0 : errno;
}

UnixBinder::Verdict UnixBinder::bind_abstract(const AdoptionRequest& request, const SocketAddress& where,
                                              Fd socket, const std::string& name) {
  if (const auto* ours = worker_.predeclared("unix " + name))
    return worker_.take_predeclared(request, *ours, socket);
  if (const auto known = names_.abstract(name); known && known->worker != id_) {
    const Verdict shared = share(request, known);
    if (shared == 0) return 0;  // else whoever bound it has closed it since
  }
  if (!worker_.still_asks(request)) return 0;
  if (::bind(socket.get(), where.get(), where.length) != 0) {
    const int code = errno;
    if (code != EADDRINUSE || !names_.abstract(name)) return code;
    // Held by nobody but us, since its worker closed it.
    worker_.forget_closed();
    if (::bind(socket.get(), where.get(), where.length) != 0) return errno;
  }
  auto bound = std::make_shared<AdoptedName>();
  bound->text = name;
  bound->generation = generation_;
  bound->worker = id_;
  bound->socket = inode_of(socket.get());
  bound->holder = {request.thread, request.fd};
  names_.add(bound);
  worker_.add(request, "unix " + name, "unix " + printable(name), bound->socket, bound);
  return 0;
}

UnixBinder::Verdict UnixBinder::share(const AdoptionRequest& request,
                                      const std::shared_ptr<AdoptedName>& name) {
  const Fd socket = name->listening ? Fd(::fcntl(name->listening.get(), F_DUPFD_CLOEXEC, 0))
                                    : copy_descriptor(name->holder.thread, name->holder.number);
  if (!socket || inode_of(socket.get()) != name->socket) return EADDRINUSE;
  // Its file status flags are those of all who have it, so they stay.
  if (const int failed = worker_.replace(request, socket.get()); failed != 0) return failed;
  worker_.has_bound(name->socket);
  if (worker_.find(name->socket) == worker_.sockets().end()) {
    worker_.add(request, "unix " + name->text, "unix " + printable(name->text), name->socket, name);
  }
  return 0;
}

}  // namespace graced
