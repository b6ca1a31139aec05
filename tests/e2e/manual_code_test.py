"""The programs in graced-child(3) compile, and the functions and types that it lists are those of the headers."""
import os, re, shutil, subprocess, unittest

import harness
from manual_pages import MANUALS, displays_of

INCLUDE = os.path.join(MANUALS, "..", "..", "child-sdk", "include")
PAGE = "graced-child.3"

CPP = """#include <graced/child.hpp>
#include <chrono>
using namespace std::chrono_literals;
namespace child = graced::child;
"""
CONNECTION = CPP + """
bool read_request(int);
void write_answer(int, bool);
void serve(int fd, const child::DrainToken& drain) {
%s}
"""
THREADS = """#include <graced/child.hpp>
using namespace std::chrono_literals;
void start_threads(graced::child::Listener&, graced::child::DrainToken&, graced::child::InFlight&);
int main() {
%s}
"""
ASIO = """#include <utility>
#include <boost/asio.hpp>
#include <graced/child.hpp>
namespace asio = boost::asio;
int main() {
asio::io_context loop;
%s}
"""
POLL = """#define _GNU_SOURCE
#include <fcntl.h>
#include <graced/child.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
void answer(int client);
int main(void) {
%s}
"""
# The function is shown below what uses it.
LIBUV = """#include <graced/child.h>
#include <sys/socket.h>
#include <uv.h>
static uv_tcp_t http;
void connected(uv_stream_t *listener, int status);
%s
void serve(uv_loop_t *loop) {
  static uv_poll_t leave;
  uv_tcp_init(loop, &http);
%s}
"""


class Code(unittest.TestCase):
    def setUp(self):
        self.blocks = [d.text + "\n" for d in displays_of(PAGE) if "\n" in d.text]
        with open(os.path.join(MANUALS, PAGE)) as f:
            self.page = f.read()

    def block(self, words):
        """The one that has these words."""
        found = [text for text in self.blocks if words in text]
        self.assertEqual(len(found), 1, "the page has %d blocks with %r" % (len(found), words))
        return found[0]

    def assert_compiles(self, language, text):
        compiler = shutil.which({"c": "cc", "c++": "c++"}[language])
        if not compiler:
            self.skipTest("no compiler for " + language)
        r = subprocess.run([compiler, "-x", language, "-std=" + {"c": "gnu11", "c++": "c++20"}[language], "-I", INCLUDE, "-fsyntax-only",
                            "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-"], input=text, stderr=subprocess.PIPE, text=True, timeout=600)
        self.assertEqual(r.returncode, 0, r.stderr + text)

    def needs(self, header):
        """Where there is no compiler assert_compiles() says so."""
        if not shutil.which("c++"):
            return
        question = "#if !__has_include(<%s>)\n#error\n#endif\n" % header
        if subprocess.run(["c++", "-x", "c++", "-E", "-"], input=question, capture_output=True, text=True).returncode:
            self.skipTest("no " + header)

    def test_every_block_is_compiled(self):
        self.assertEqual(len(self.blocks), 6, self.blocks)

    def test_the_synopsis_has_the_functions_of_the_header(self):
        """Each with this result, these arguments and, where the page has it, noexcept."""
        text = self.block("namespace graced::child {")
        text = re.sub(r"(\w) = (?:\{\}|[^,;)\n]+)(?=[,)])", r"\1", text)  # the default value of an argument
        functions = re.findall(r"^(\S[\w:<> ]*?) (\w+)\(([^;]*)\)( noexcept)?;$", text, re.M)
        self.assertGreater(len(functions), 15)
        self.assertEqual(len(functions), text.count("("))
        self.assert_compiles("c++", CPP + "namespace graced::child {\n" + "".join(
            "auto* const the_%d = static_cast<%s (*)(%s)%s>(&%s);\n" % (number, result, arguments, care, name)
            for number, (result, name, arguments, care) in enumerate(functions)) + "}\n")

    def test_enumerations_are_those_of_the_header(self):
        for name, values in re.findall(r"^enum class (\w+) \{ (.*) \};$", self.block("namespace graced::child {"), re.M):
            for number, value in enumerate(values.split(", ")):
                self.assert_compiles("c++", CPP + "static_assert(static_cast<int>(child::%s::%s) == %d);\n" % (name, value, number))

    def test_the_c_functions_are_those_of_the_header(self):
        declared = []
        for kind, name, arguments in re.findall(r'^\.Ft (.*)\n\.Fn (graced_\w+) (.*)$', self.page, re.M):
            quoted = re.findall(r'"([^"]*)"', arguments) or [arguments]
            declared.append("%s %s(%s);\n" % (kind.strip('"'), name, ", ".join(quoted)))
        with open(os.path.join(INCLUDE, "graced", "child.h")) as f:
            functions = set(re.findall(r"^[\w ]+\*? ?\b(graced_\w+)\(", f.read(), re.M))
        self.assertEqual({re.search(r"(graced_\w+)\(", line).group(1) for line in declared}, functions)
        self.assert_compiles("c", "#include <graced/child.h>\n" + "".join(declared))

    def test_a_thread_that_serves_one_connection(self):
        self.assert_compiles("c++", CONNECTION % self.block("next_request(fd, drain, 60s)"))

    def test_one_thread_and_an_event_loop(self):
        self.assert_compiles("c", POLL % self.block("struct pollfd on[]"))

    def test_threads(self):
        self.assert_compiles("c++", THREADS % self.block("start_threads(http, drain, requests)"))

    def test_asio(self):
        self.needs("boost/asio.hpp")
        self.assert_compiles("c++", ASIO % self.block("asio::posix::stream_descriptor"))

    def test_libuv(self):
        self.needs("uv.h")
        before, function = self.block("uv_tcp_open").split("\n\n")
        self.assert_compiles("c", LIBUV % (function, before + "\n"))


if __name__ == "__main__":
    harness.main()
