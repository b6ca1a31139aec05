#include "linux/self/become.h"

#include <unistd.h>

#include "linux/base/sys_error.h"

namespace graced {

void become(const std::vector<std::string>& command) {
  std::vector<char*> words;
  words.reserve(command.size() + 1);
  // execvp(3) only reads them, but its type knows no const.
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::execvp(words.front(), words.data());
  throw sys_error("run {}", command.front());
}

}  // namespace graced
