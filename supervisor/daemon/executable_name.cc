#include "daemon/executable_name.h"

namespace graced {

std::string_view executable_name(std::string_view program) {
  program.remove_prefix(program.rfind('/') + 1);  // npos + 1 is 0
  const auto end = program.find_last_not_of("0123456789.");
  return program.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

}  // namespace graced
