// Unix sockets have a name in the file system or in the abstract namespace; binding the first kind
// means owning a file.
#pragma once

#include <string>

#include "core/listen_spec.h"
#include "linux/base/file_id.h"
#include "linux/sockets/spare_link.h"

namespace graced {

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
  const std::string& text() const { return path_; }
  FileId id() const { return path_.empty() ? FileId{} : id_; }
  void leave();  // not to be removed

  // Whether the socket is reached there; ours, too, while it is to be aside.
  enum class Place { ours, missing, taken };
  Place place() const;

  // From now on it can be had again, unless the result is an errno: see SpareLink.
  int keep_spare(const std::string& place);
  bool has_spare() const { return static_cast<bool>(spare_); }
  int put_back() const { return spare_.put_back(path_); }  // 0 or an errno

  // Not of one that is aside. The kernel tells of a file's removal while its name can still be looked up for a
  // moment; so who was told asks here, and gets what is there once the removal is over.
  struct PutBack {
    Place place;
    bool put_back = false;  // it was missing, and is ours again
    int error = 0;          // an errno, if it is missing: why it stays so
  };
  PutBack put_back_if_missing() const;

  // Nobody reaches the socket there, until appear(): it has its spare name only. 0, or an errno, and then it
  // stays.
  int step_aside(const std::string& spare_place);
  bool is_aside() const { return aside_; }
  int appear();  // 0 or an errno: EEXIST if another file has taken its place

  // Applies mode, user and group; 0666 and graced's own where they are not given. `address` is for the
  // message. Throws ListenError.
  void set_access(const ListenOptions& options, const std::string& address) const;

  // What another image of this process takes over, see linux/upgrade.
  struct Kept {
    std::string path{};
    FileId id{};
    SpareLink::Kept spare{};
    bool aside = false;
  };
  Kept kept() const { return {path_, id_, spare_.kept(), aside_}; }
  explicit UnixPath(Kept kept)
      : path_(std::move(kept.path)), id_(kept.id), spare_(std::move(kept.spare)), aside_(kept.aside) {}

 private:
  void remove() noexcept;

  std::string path_;  // absolute: the working directory may change
  FileId id_;
  SpareLink spare_;
  bool aside_ = false;
};

// Binds fd to spec.path. A socket file that nobody is bound to any more is replaced; one that is in use
// and anything that is no socket is left alone and named in the ListenError thrown. Nobody can connect
// before mode and owner are set. The result is empty for an abstract name.
UnixPath bind_unix(int fd, const ListenSpec& spec);

// Throws what bind_unix would throw, as far as that can be seen without binding anything.
void try_unix_path(const ListenSpec& spec);

// A socket's file, and nobody is bound to it any more; false also where this user may not ask.
bool is_stale_socket(const std::string& path);

}  // namespace graced
