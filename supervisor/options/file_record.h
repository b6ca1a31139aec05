// What a process has read of the files that the options name, written down for another one.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "core/members.h"
#include "options/text_file.h"

namespace graced {

// A reader for load_run_options() that gives `write` a piece of the record before and after each file.
ReadText recording_reader(std::function<void(std::string_view piece)> write);

class FileRecord {
 public:
  void add(std::string_view piece) { record_ += piece; }

  // What was read of the file, or the exception that there was instead. Throws std::runtime_error for a file
  // that is not in the record: its process ended before.
  std::string read(const std::string& path) const;

  // The file that was begun last and is not done yet; empty: none.
  std::string unfinished() const;

 private:
  template <class>
  friend struct Members;

  struct Entry {
    std::string path;
    char kind = '?';  // '?': begun
    std::string content{};
  };
  std::map<std::string, Entry> entries(std::string* unfinished) const;

  std::string record_;
};

}  // namespace graced
