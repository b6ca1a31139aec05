// As execvp(3) does it.
#include "linux/worker/program_search.h"

#include <algorithm>

namespace graced {

std::vector<std::string> programs_named(const std::string& word,
                                        std::initializer_list<const std::vector<std::string>*> environments) {
  if (word.find('/') != std::string::npos) return {word};

  std::string path = "/usr/local/bin:/usr/bin:/bin";
  for (const auto* environment : environments) {
    if (!environment) continue;
    for (const std::string& e : *environment) {
      if (e.starts_with("PATH=")) path = e.substr(5);
    }
  }
  std::vector<std::string> programs;
  for (std::size_t from = 0; from <= path.size();) {
    const std::size_t to = std::min(path.find(':', from), path.size());
    const std::string directory = path.substr(from, to - from);
    programs.push_back((directory.empty() ? "." : directory) + "/" + word);
    from = to + 1;
  }
  return programs;
}

}  // namespace graced
