// Another process reads them, and the options are made of its record.
#include "daemon/option_files.h"

#include <utility>

#include "linux/base/pipe_text.h"

namespace graced {

void OptionFiles::read(const ParsedWords& words, const std::vector<std::string>& environment,
                       const StartingPlace& place, std::function<void()> done) {
  const auto work = [&](int output) {
    load_run_options(words, environment, nullptr,
                     recording_reader([output](std::string_view piece) { write_all(output, piece); }));
  };
  read_.begin(place, work, std::move(done));
}

FileRecord OptionFiles::record() const {
  FileRecord record;
  record.add(read_.text());
  return record;
}

RunOptions OptionFiles::options(const ParsedWords& words, const std::vector<std::string>& environment) const {
  return recorded_options(words, environment, record());
}

RunOptions recorded_options(const ParsedWords& words, const std::vector<std::string>& environment,
                            const FileRecord& files) {
  return load_run_options(words, environment, nullptr,
                          [&](const std::string& path) { return files.read(path); });
}

WaitsFor OptionFiles::waits_for() const {
  if (!read_.is_under_way()) return {};
  if (WaitsFor place = read_.waits_for_place(); !place.what.empty()) return place;
  const std::string file = record().unfinished();
  return {file.empty() ? "a file that the options name" : file, "read"};
}

}  // namespace graced
