// The unix names (paths, and abstract ones) that workers of all generations have bound.
//
// A path is one file. The first socket is bound exactly there. The next generation's is bound beside it, as
// PATH.gN, and is renamed over PATH once it listens and its generation is promoted: until then everybody
// reaches the old one, and a candidate that fails has changed nothing. What a worker unlinks stays, so
// that an old generation cannot take the new one's file away; the file goes when graced lets its last
// socket go, unless another file has taken its place. Within one generation, and for abstract names, there
// can be one socket only: later workers get it in place of their own.
//
// A file that its worker renames or links to a path is as if it had been bound there.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "linux/base/fd.h"
#include "linux/base/file_id.h"
#include "linux/proc/socket_holders.h"

namespace graced {

struct AdoptedName {
  AdoptedName() = default;
  AdoptedName(const AdoptedName&) = delete;
  AdoptedName& operator=(const AdoptedName&) = delete;
  ~AdoptedName();  // removes the file if it is still this one

  std::string text;  // "/run/a.sock" as graced sees it, "@abstract"
  std::uint64_t generation = 0;
  std::uint64_t worker = 0;  // see AdoptedNames::new_worker

  Fd directory;           // none: an abstract name
  std::string file;       // last part of the path
  std::string beside;     // what the file is called until it is put in place; then empty
  FileId file_found;      // which file it is
  bool unlinked = false;  // its worker believes that the path is free
  struct Access {
    mode_t mode;
    uid_t user;
    gid_t group;
    bool operator==(const Access&) const = default;
  };
  // Of what was at the path when this was renamed to be beside it: mode and owner had been set by then.
  std::optional<Access> moved_beside;

  ino_t socket = 0;
  SocketHolder holder{};  // who bound it
  Fd listening;           // our duplicate, once it listens

  // What another image of this process takes over, see linux/upgrade; descriptors are borrowed until it does.
  struct Kept {
    std::string text{};
    std::uint64_t generation = 0;
    std::uint64_t worker = 0;
    int directory = -1;
    std::string file{};
    std::string beside{};
    FileId file_found{};
    bool unlinked = false;
    std::optional<Access> moved_beside{};
    ino_t socket = 0;
    SocketHolder holder{};
    int listening = -1;
  };
  Kept kept() const;
  explicit AdoptedName(Kept kept);
};

// All names that were carried, each by its number. Whoever has one of them shares it; what nobody shares loses
// its file when these go.
using TakenNames = std::vector<std::shared_ptr<AdoptedName>>;
TakenNames taken_names(const std::vector<AdoptedName::Kept>& kept);

class AdoptedNames {
 public:
  // From now on this generation is found at its paths: what it listens on is put there now, what it will
  // listen on then. What the generation that stands by (0: none does) had at these paths goes beside them, to
  // be promoted again; of any other it is gone. To be called at every promotion, the first one too. Returns a
  // line for each path that could not be had, or not with the owner and mode that it had.
  std::vector<std::string> promote(std::uint64_t generation, std::uint64_t standby = 0);

  // The rest is for Adoption. Directories are compared by what they are, not by how they are called.
  std::uint64_t new_worker() { return ++workers_; }
  std::uint64_t promoted() const { return promoted_; }
  bool empty() const { return names_.empty(); }
  void add(const std::shared_ptr<AdoptedName>& name);
  // What is reached at this path.
  std::shared_ptr<AdoptedName> in_place(const Fd& directory, const std::string& file) const;
  // What this generation has bound to be reached there, sooner or later.
  std::shared_ptr<AdoptedName> of_generation(std::uint64_t generation, const Fd& directory,
                                             const std::string& file) const;
  std::shared_ptr<AdoptedName> abstract(const std::string& text) const;
  // What an unlink would remove: in place, or still beside it.
  std::shared_ptr<AdoptedName> file_of(const Fd& directory, const std::string& file) const;
  bool may_know(const std::string& file) const;         // cheap; true if some name has such a last part
  std::string file_now(const AdoptedName& name) const;  // in its directory
  // It has that place now, or is beside it. `directory` is duplicated.
  void move(AdoptedName& name, const Fd& directory, const std::string& file, const std::string& beside) const;
  // Empty, why it stays beside, or which owner or mode it could not be given.
  std::string put_in_place(AdoptedName& name) const;

  // What another image of this process takes over. number(): of one of them, in Kept::names.
  struct Kept {
    std::vector<AdoptedName::Kept> names{};
    std::uint64_t promoted = 0;
    std::uint64_t standby = 0;
    std::uint64_t workers = 0;
  };
  Kept kept() const;
  unsigned number(const std::shared_ptr<AdoptedName>& name) const;
  AdoptedNames() = default;
  AdoptedNames(const Kept& kept, const TakenNames& names);  // of taken_names(kept.names)

 private:
  std::vector<std::shared_ptr<AdoptedName>> all() const;

  std::vector<std::weak_ptr<AdoptedName>> names_;
  std::uint64_t promoted_ = 0;
  std::uint64_t standby_ = 0;
  std::uint64_t workers_ = 0;
};

}  // namespace graced
