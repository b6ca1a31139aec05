// Another process reads them, and the options are made of its record.
#include "daemon/option_files.h"

#include <sys/epoll.h>

#include "linux/base/pipe_text.h"

namespace graced {

void OptionFiles::read(const ParsedWords& words, const std::vector<std::string>& environment,
                       const Fd& directory, std::function<void()> done) {
  give_up();
  record_ = FileRecord();
  done_ = std::move(done);
  process_ = std::make_unique<SideProcess>(directory.get(), [&](int output) {
    load_run_options(words, environment, nullptr,
                     recording_reader([output](std::string_view piece) { write_all(output, piece); }));
  });
  heard_ = loop_.on_fd(process_->output(), EPOLLIN, Priority::answer, [this] { hear(); });
}

RunOptions OptionFiles::options(const ParsedWords& words, const std::vector<std::string>& environment) const {
  return recorded_options(words, environment, record_);
}

RunOptions recorded_options(const ParsedWords& words, const std::vector<std::string>& environment,
                            const FileRecord& files) {
  return load_run_options(words, environment, nullptr,
                          [&](const std::string& path) { return files.read(path); });
}

void OptionFiles::give_up() {
  heard_ = Source();
  process_.reset();
  done_ = {};
}

void OptionFiles::hear() {
  bool ended = false;
  record_.add(read_available(process_->output(), ended));
  if (!ended) return;
  const auto done = std::exchange(done_, {});
  give_up();
  done();
}

}  // namespace graced
