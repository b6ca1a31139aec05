// A second name of a socket's file: with it the path can be had again when somebody has removed it. The socket
// that the workers hold is then reached as before, which a new one bound there would not be.
#pragma once

#include <string>
#include <utility>

#include "linux/base/file_id.h"

namespace graced {

class SpareLink {
 public:
  SpareLink() = default;  // none
  // Of `path`, which must be `file`: in the directory `place`, made if it is missing, which nobody but graced
  // may look into, as the path's own directory may keep others out; else, where that is on another file system,
  // hidden beside the path. A stale one there, of a graced that was killed, is replaced.
  // None if no file can have a second name there, or only one of graced's own (fs.protected_hardlinks): why()
  // is the errno.
  SpareLink(const std::string& path, FileId file, const std::string& place);
  SpareLink(SpareLink&& other) noexcept;
  SpareLink& operator=(SpareLink&& other) noexcept;
  ~SpareLink() { remove(); }

  explicit operator bool() const { return !name_.empty(); }
  int why() const { return why_; }

  // Gives the file its path again, in one step; never in another file's place (EEXIST). 0 or an errno.
  int put_back(const std::string& path) const;

  void remove() noexcept;

  // What another image of this process takes over, see linux/upgrade.
  struct Kept {
    std::string name{};
    std::string place{};
    FileId file{};
    int why = 0;
  };
  Kept kept() const { return {name_, place_, file_, why_}; }
  explicit SpareLink(Kept kept)
      : name_(std::move(kept.name)), place_(std::move(kept.place)), file_(kept.file), why_(kept.why) {}

 private:
  std::string name_;   // absolute
  std::string place_;  // empty: it is beside the path
  FileId file_;
  int why_ = 0;
};

// What killed ones have left in this directory, and it.
void remove_stale_links(const std::string& place);

}  // namespace graced
