// Reads the files that the options name without making graced wait: a FIFO that nobody writes to, or a file
// system that does not answer, must not keep it from its other work.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "daemon/side_record.h"
#include "daemon/waits_for.h"
#include "linux/event/loop.h"
#include "linux/worker/starting_place.h"
#include "options/file_record.h"
#include "options/options.h"

namespace graced {

class OptionFiles {
 public:
  explicit OptionFiles(Loop& loop) : read_(loop) {}

  // Begins to read all that these words and this environment name, relative names as seen from `place`.
  // `done` is called once, later, unless it is given up. Throws std::system_error.
  void read(const ParsedWords& words, const std::vector<std::string>& environment, const StartingPlace& place,
            std::function<void()> done);

  // Of what was read. Throws as load_run_options() does.
  RunOptions options(const ParsedWords& words, const std::vector<std::string>& environment) const;
  FileRecord record() const;

  WaitsFor waits_for() const;

  void give_up() { read_.give_up(); }

 private:
  SideRecord read_;
};

// As these words and this environment say, where files were as they are recorded. Throws as load_run_options().
RunOptions recorded_options(const ParsedWords& words, const std::vector<std::string>& environment,
                            const FileRecord& files);

}  // namespace graced
