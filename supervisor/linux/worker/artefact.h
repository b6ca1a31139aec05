// What a generation runs: the file that its command names and the directory that it starts in, found when it
// is prepared and held open from then on, so that a worker that is replaced is replaced by its like, whatever
// has come to lie at the path meanwhile.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "linux/base/fd.h"
#include "linux/base/file_looks.h"
#include "linux/base/kept_stat.h"
#include "linux/worker/known_files.h"
#include "linux/worker/shebang.h"
#include "linux/worker/spawn.h"

namespace graced {

class Artefact {
 public:
  Artefact() = default;  // nothing is held

  // Found with the worker's own rights. directory: where it starts, may be empty for graced's own. A command
  // that is not there, or not to be executed, is not held: spawn() looks for it again and says what is wrong.
  Artefact(Fd directory, const std::vector<std::string>& command, const std::vector<std::string>& environment,
           const Launch::Identity* user);

  // What another image of this process takes over, see linux/upgrade; descriptors are borrowed until it does.
  struct Kept {
    int directory = -1;
    int file = -1;
    KeptStat then{};
    std::string named{};
    std::string resolved{};
    std::optional<Shebang> interpreter{};
    bool by_path_only = false;
    KnownFiles read_by_name{};
  };
  Kept kept() const;
  explicit Artefact(Kept kept);

  int directory() const { return directory_.get(); }

  // How to run it now: by its path as long as that leads to it, else from the descriptor. nullopt: not held.
  std::optional<Launch::Program> program() const;

  // Without symbolic links; empty if not held.
  const std::string& executable() const { return resolved_; }

  struct Look {
    bool from_descriptor = false;  // it runs from there, for no path leads to it
    // What a replacement would run that is not what it was: the command's words that name files, what reads a
    // script, and a script that cannot be held or was written over.
    std::vector<std::string> changed{};
  };
  Look look() const;

  // The same, without waiting for a file system. nullopt: it takes look(), which needs descriptors().
  std::optional<Look> look_at_once() const;
  std::vector<int> descriptors() const;

 private:
  bool hold(const std::string& program);
  void remember_files(const std::vector<std::string>& command, const std::vector<std::string>& environment);
  bool is_held(const std::string& path, FileLooks& looks) const;
  std::string path_now(FileLooks& looks) const;  // empty: none leads to it
  Look look(FileLooks& looks) const;

  Fd directory_;
  Fd file_;
  KeptStat then_{};
  std::string named_;     // its path without symbolic links but the last, which may give it another name
  std::string resolved_;  // without any
  std::optional<Shebang> interpreter_;  // of a script
  bool by_path_only_ = false;
  KnownFiles read_by_name_;
};

// The directory `name`, as seen from `place` (AT_FDCWD: graced's own), for `user` to start in. Throws
// std::system_error.
Fd open_directory_for(const Launch::Identity* user, int place, const std::string& name);

}  // namespace graced
