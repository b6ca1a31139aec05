// Unix sockets have a name in the file system or in the abstract namespace; binding the first kind
// means owning a file.
#pragma once

#include <sys/types.h>

#include <string>

#include "core/listen_spec.h"

namespace graced {

// Which file it is, whatever its name; zeros: none.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;

  friend bool operator==(const FileId&, const FileId&) = default;
};

// The file of a socket that graced bound. Unlinked when its owner goes, unless another file has taken
// its place; keep the socket open until then, so that its inode number cannot come back.
class UnixPath {
 public:
  UnixPath() = default;                        // none
  explicit UnixPath(const std::string& path);  // as it is there now

  UnixPath(UnixPath&& other) noexcept;
  UnixPath& operator=(UnixPath&& other) noexcept;
  ~UnixPath() { remove(); }

  explicit operator bool() const { return !path_.empty(); }
  FileId id() const { return path_.empty() ? FileId{} : FileId{device_, inode_}; }
  void leave() { path_.clear(); }  // not to be removed

  // Applies mode, user and group; 0666 and graced's own where they are not given. `address` is for the
  // message. Throws ListenError.
  void set_access(const ListenOptions& options, const std::string& address) const;

 private:
  void remove() noexcept;

  std::string path_;  // absolute: the working directory may change
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

// Binds fd to spec.path. A socket file that nobody is bound to any more is replaced; one that is in use
// and anything that is no socket is left alone and named in the ListenError thrown. Nobody can connect
// before mode and owner are set. The result is empty for an abstract name.
UnixPath bind_unix(int fd, const ListenSpec& spec);

}  // namespace graced
