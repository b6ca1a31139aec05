// `graced top`: graced itself links nothing that draws on a terminal.
#include <fmt/format.h>

#include <exception>
#include <string>

#include "client/client.h"
#include "client/outcome.h"
#include "linux/self/own_program.h"

namespace graced {

int client_top(const std::vector<std::string>& words, const Terminal& terminal) {
  return answered(terminal, [&] {
    std::string program;
    try {
      program = own_program("graced-top", GRACED_LIBEXECDIR);
    } catch (const std::exception& e) {
      throw Refusal{exit_status::failed, fmt::format("{}; the package graced-top has it", e.what())};
    }
    become_own_program(program, words);
    return exit_status::failed;
  });
}

}  // namespace graced
