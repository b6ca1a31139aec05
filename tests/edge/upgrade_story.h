// A program that is replaced in place (tests/upgrade), and images for it: good ones, and bad ones.
#pragma once

#include <sys/types.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "linux/base/fd.h"
#include "temp_directory.h"

namespace graced {

// A file with that behaviour, unless there is one.
void write_image(const std::string& file, const std::string& behaviour);

class UpgradeStory {
 public:
  static constexpr int of_starter =
      100;  // a descriptor that the program was started with, and knows nothing of

  // Runs image "good", with these words before its own: "setpriv …".
  explicit UpgradeStory(const std::vector<std::string>& before = {});
  UpgradeStory(const UpgradeStory&) = delete;
  UpgradeStory& operator=(const UpgradeStory&) = delete;
  ~UpgradeStory();

  // A file of that name, and with that behaviour. Returns its path.
  std::string image(const std::string& behaviour) const;

  std::string path(const std::string& name) const { return directory_ / name; }

  void tell(const std::string& command) const;
  std::string hear() const;  // "ended" if it has; fails the test if nothing comes
  std::string ask(const std::string& command) const;

  std::string upgrade_to(const std::string& behaviour, const std::string& limits = "") const {
    return ask("upgrade " + image(behaviour) + " " + limits);
  }

  pid_t pid() const { return pid_; }  // of the first word
  std::string image_that_runs() const;
  std::set<std::pair<std::string, unsigned long>> descriptors() const;  // number, kind, flags; inode
  std::string errors() const;                                           // what it wrote to standard error
  long private_kilobytes() const;
  int wait_for_end() const;  // as waitpid(2) has it

 private:
  TempDirectory directory_;
  Fd talk_;
  pid_t pid_ = -1;
  mutable bool reaped_ = false;
};

}  // namespace graced
