// Reads the files that the options name without making graced wait: a FIFO that nobody writes to, or a file
// system that does not answer, must not keep it from its other work.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "linux/event/loop.h"
#include "linux/worker/side_process.h"
#include "options/file_record.h"
#include "options/options.h"

namespace graced {

class OptionFiles {
 public:
  explicit OptionFiles(Loop& loop) : loop_(loop) {}

  // Begins to read all that these words and this environment name, relative names as seen from `directory`
  // (none: graced's own). `done` is called once, later, unless it is given up. Throws std::system_error.
  void read(const ParsedWords& words, const std::vector<std::string>& environment, const Fd& directory,
            std::function<void()> done);

  // Of what was read. Throws as load_run_options() does.
  RunOptions options(const ParsedWords& words, const std::vector<std::string>& environment) const;
  const FileRecord& record() const { return record_; }

  // The file that it waits for; empty: none.
  std::string waits_for() const { return process_ ? record_.unfinished() : ""; }

  void give_up();

 private:
  void hear();

  Loop& loop_;
  std::unique_ptr<SideProcess> process_;
  Source heard_;
  FileRecord record_;
  std::function<void()> done_;
};

// As these words and this environment say, where files were as they are recorded. Throws as load_run_options().
RunOptions recorded_options(const ParsedWords& words, const std::vector<std::string>& environment,
                            const FileRecord& files);

}  // namespace graced
