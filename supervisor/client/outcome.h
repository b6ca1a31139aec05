// What a command says when it does not go well, and the exit status for it.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <string>

#include "client/client.h"
#include "core/printable.h"
#include "linux/control/control_reply.h"
#include "linux/control/control_report.h"

namespace graced {

// An answer to be given to the user at once, instead of what was asked for.
struct Refusal {
  int status;
  std::string why;
};

// It was there when it was asked, and had ended before it could answer.
struct Ended : Refusal {};

// All of them are called through this: whatever stands in the way becomes one line and an exit status.
template <class Body>
int answered(const Terminal& terminal, const Body& body) {
  try {
    return body();
  } catch (const Refusal& refusal) {
    fmt::print(terminal.err, "graced: {}\n", refusal.why);
    return refusal.status;
  } catch (const std::exception& e) {
    fmt::print(terminal.err, "graced: {}\n", printable(e.what()));
    return exit_status::failed;
  }
}

// "exited with status 1" on the line, what else was said indented below it.
std::string reason(const std::string& why);

// "generation 6 still serves", "nothing serves": after a reload that failed.
std::string who_serves_text(const InstanceReport&);

// One that takes no more connections, though it is there.
std::string hung_up_text(const std::string& name);

// Of what was asked of an instance of this name: says on stderr why it did not come about.
int not_done(const char* verb, const std::string& name, const ControlReply&, const Terminal&);

}  // namespace graced
