// The first line of a script, and who reads it.
#include "linux/worker/shebang.h"

#include <doctest/doctest.h>

using namespace graced;

namespace {

std::string read(std::string_view beginning) {
  const auto script = parse_shebang(beginning);
  return script ? script->interpreter + "|" + script->program : "none";
}

}  // namespace

TEST_CASE("the interpreter is what the first line names, and what env is told to find") {
  CHECK(read("#!/bin/sh\necho") == "/bin/sh|/bin/sh");
  CHECK(read("#! /bin/sh -eu\n") == "/bin/sh|/bin/sh");
  CHECK(read("#!/usr/bin/env node\n") == "/usr/bin/env|node");
  CHECK(read("#!/usr/bin/env -S A=b  node --flag\n") == "/usr/bin/env|node");
  CHECK(read("#!/usr/bin/env\n") == "/usr/bin/env|/usr/bin/env");
  CHECK(read("#!/bin/sh") == "/bin/sh|/bin/sh");
}

TEST_CASE("what is no script has none") {
  CHECK(read("") == "none");
  CHECK(read("#") == "none");
  CHECK(read("#!") == "none");
  CHECK(read("#!  \n/bin/sh") == "none");
  CHECK(read("\x7f"
             "ELF") == "none");
}

TEST_CASE("a posix shell can be called to read a script from elsewhere, unless its arguments are in the way") {
  using Words = std::vector<std::string>;
  CHECK(shell_of(*parse_shebang("#!/bin/sh\n")) == Words{"/bin/sh"});
  CHECK(shell_of(*parse_shebang("#! /bin/dash -eu \n")) == Words{"/bin/dash", "-eu"});
  for (const char* line : {"#!/bin/sh -\n", "#!/bin/sh --\n", "#!/bin/sh -c\n", "#!/bin/sh -e -u\n",
                           "#!/bin/sh -s\n", "#!/bin/bash\n", "#!/usr/bin/env sh\n", "#!/usr/bin/python3\n"})
    CHECK_MESSAGE(shell_of(*parse_shebang(line)).empty(), line);
}

TEST_CASE("node and its kin ask for the real path of what they run") {
  CHECK(reads_from_descriptor(*parse_shebang("#!/bin/sh\n")));
  CHECK(reads_from_descriptor(*parse_shebang("#!/usr/bin/env python3\n")));
  CHECK(!reads_from_descriptor(*parse_shebang("#!/usr/bin/node\n")));
  CHECK(!reads_from_descriptor(*parse_shebang("#!/usr/bin/env -S node --no-warnings\n")));
}
