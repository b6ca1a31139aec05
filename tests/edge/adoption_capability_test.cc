#include "linux/adoption/adoption_capability.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/net.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

#include "adoption_story.h"
#include "as_root.h"
#include "in_child.h"
#include "linux/seccomp/adoption_filter.h"
#include "own_network.h"

using namespace graced;

namespace {

// For good, as a process that was started by that user.
void become_user(uid_t user) {
  const bool changed = ::setgroups(0, nullptr) == 0 && ::setgid(user) == 0 && ::setuid(user) == 0;
  if (!changed || ::prctl(PR_SET_DUMPABLE, 1) != 0) throw std::runtime_error("cannot change the user");
}

void drop_capability(int capability) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  ::syscall(SYS_capget, &header, data);
  const auto index = static_cast<std::size_t>(capability / 32);
  data[index].effective &= ~(1U << (capability % 32));
  data[index].permitted &= ~(1U << (capability % 32));
  if (::syscall(SYS_capset, &header, data) != 0) throw std::runtime_error("cannot drop the capability");
}

std::string said_by(const AdoptionCapability& capability) {
  return std::string(capability.possible ? "possible" : "impossible") +
         (capability.needs_no_new_privs ? ", no_new_privs" : "") + (capability.why.empty() ? "" : ": ") +
         capability.why;
}

}  // namespace

TEST_CASE("adoption is possible here, and trying it leaves nothing behind") {
  if (!as_root("adoption without no_new_privs")) return;
  CHECK(in_child([] {
          std::string said = said_by(probe_adoption());
          if (::waitpid(-1, nullptr, WNOHANG) != -1 || errno != ECHILD) said += ", a child is left";
          return said;
        }) == "possible");
  const Launch::Identity other{33, 33, {}, "www-data"};
  CHECK(said_by(probe_adoption(&other)) == "possible");
}

TEST_CASE("without privileges adoption sets no_new_privs and says what that breaks") {
  if (!as_root("to become another user")) return;
  const OwnNetwork network;
  CHECK(in_child([] {
          become_user(65534);
          return said_by(probe_adoption());
        }) ==
        "possible, no_new_privs: without CAP_SYS_ADMIN no_new_privs is set: sudo and setuid programs do not "
        "work in workers");
  CHECK(in_child([] {
          become_user(65534);
          AdoptedNames names;
          const Where where = v4(free_port());
          const auto body = [where](const WorkerSide& test) {
            const int s = ::socket(AF_INET, SOCK_STREAM, 0);
            long result = ::bind(s, where.get(), where.length);
            if (result == 0) result = ::listen(s, 8);
            test.say(outcome(result));
            test.wait();
          };
          AdoptedWorker first(names, 1, body, {.no_new_privs = true});
          AdoptedWorker second(names, 2, body, {.no_new_privs = true});
          std::string said = first.hears() + " " + second.hears() + " ";
          for (const std::string& note : first.adoption().take_notes()) said += note;
          if (first.adoption().sockets().empty()) return said;
          return said + first.only_socket().key.substr(0, 14);
        }) == "ok ok tcp 127.0.0.1:");
}

TEST_CASE("a second listener, as in a container runtime or below another graced, is said to be one") {
  CHECK(in_child([] {
          ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
          const Fd first(load_adoption_filter(adoption_filter(), true));
          return first ? said_by(probe_adoption()) : "no first listener";
        }) ==
        "impossible: another seccomp listener is installed already, by a container runtime perhaps (give the "
        "addresses with --listen)");
}

TEST_CASE("without CAP_SYS_PTRACE workers of another user are left alone, with a word") {
  if (!as_root("to become another user")) return;
  const OwnNetwork network;
  CHECK(in_child([] {
          drop_capability(CAP_SYS_PTRACE);
          const Launch::Identity other{33, 33, {}, "www-data"};
          return said_by(probe_adoption(&other));
        }) == "impossible: graced may not look into processes of user www-data (it needs CAP_SYS_PTRACE)");
  CHECK(in_child([] {
          drop_capability(CAP_SYS_PTRACE);
          return said_by(probe_adoption());
        }) == "possible");
  CHECK(in_child([] {
          AdoptedNames names;
          const Where where = v4(free_port());
          AdoptedWorker worker(names, 1,
                               [where](const WorkerSide& test) {
                                 const int s = ::socket(AF_INET, SOCK_STREAM, 0);
                                 test.say("changed");
                                 test.wait();
                                 test.say(outcome(::bind(s, where.get(), where.length)));
                                 test.wait();
                               },
                               {.user = 33});
          std::string said = worker.hears();
          drop_capability(CAP_SYS_PTRACE);
          said += " " + worker.goes_and_says();
          const auto notes = worker.adoption().take_notes();
          said +=
              notes.size() == 1 && notes[0].ends_with("graced may not look into it (it needs CAP_SYS_PTRACE)")
                  ? " noted"
                  : " not noted";
          return said + (worker.adoption().sockets().empty() ? "" : ", adopted");
        }) == "changed ok noted");
}

TEST_CASE("an unprivileged graced that does not set no_new_privs is told by spawn what is missing") {
  if (!as_root("to become another user")) return;
  CHECK(in_child([] {
          Launch launch = launch_of({"/bin/true"});
          become_user(65534);
          const auto result = spawn(launch);
          const auto* failed = std::get_if<SpawnFailed>(&result);
          return failed != nullptr ? failed->why : "spawned";
        }) == "load the seccomp filter for adoption: needs CAP_SYS_ADMIN or no_new_privs");
}

TEST_CASE(
    "a spawned program is adopted, as another user with its setuid programs working, and sees nothing of it") {
  if (!as_root("to become another user")) return;
  const OwnNetwork network;
  const std::string port = std::to_string(free_port());
  const std::string program =
      "import os, socket, sys\n"
      "s = socket.create_server(('127.0.0.1', " +
      port +
      "))\n"
      "said = [str(os.getuid()), ' '.join(sorted(f for f in os.listdir('/proc/self/fd') if "
      "os.path.exists('/proc/self/fd/' + f)))]\n"
      "said.append([l for l in open('/proc/self/status') if l.startswith('NoNewPrivs')][0].split()[1])\n"
      "print(' | '.join(said), file=sys.stderr)\n"
      "sys.stdin.read(1)\n";
  AdoptedNames names;
  const auto launch = [&] {
    Launch l = launch_of({"/usr/bin/python3", "-c", program});
    l.identity = Launch::Identity{33, 33, {}, "www-data"};
    return l;
  };
  AdoptedWorker first(names, 1, launch());
  CHECK(first.hears() == "33 | 0 1 2 3 | 0");
  AdoptedWorker second(names, 2, launch());
  CHECK(second.hears() == "33 | 0 1 2 3 | 0");
  CHECK(first.only_socket().key == second.only_socket().key);
  CHECK(second.only_socket().listening);
}

TEST_CASE("a program spawned without privileges is adopted") {
  if (!as_root("to become another user")) return;
  const OwnNetwork network;
  CHECK(in_child([] {
          become_user(65534);
          AdoptedNames names;
          const std::string address = "('127.0.0.1', " + std::to_string(free_port()) + ")";
          AdoptedWorker worker(names, 1,
                               launch_of({"/usr/bin/python3", "-c",
                                          "import socket, sys; s = socket.create_server(" + address +
                                              "); print('serves', file=sys.stderr); sys.stdin.read(1)"}));
          const std::string said = worker.hears();
          return said + (worker.only_socket().listening ? " and is held" : "");
        }) == "serves and is held");
}

TEST_CASE("a spawned program that uses no socket runs as ever") {
  AdoptedNames names;
  AdoptedWorker worker(names, 1, launch_of({"/bin/sh", "-c", "echo hello >&2"}));
  CHECK(worker.hears() == "hello");
  CHECK(worker.hears() == "gone");
  CHECK(worker.adoption().sockets().empty());
  CHECK(worker.adoption().changes() == 0);
}

#ifdef __x86_64__

namespace {

// The call of a 32-bit program, with everything that pointers lead to below 4 GB.
long call_32(long number, long one, long two, long three) {
  long result = number;
  __asm__ volatile("int $0x80"
                   : "+a"(result)
                   : "b"(one), "c"(two), "d"(three)
                   : "memory", "r8", "r9", "r10", "r11");
  if (result >= 0) return result;
  errno = static_cast<int>(-result);
  return -1;
}

class LowMemory {
 public:
  LowMemory()
      : base_(static_cast<char*>(
            ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0))) {}
  template <class T>
  long put(const T* what, std::size_t size) {
    std::memcpy(base_ + used_, what, size);
    const long at = reinterpret_cast<long>(base_ + used_);
    used_ += (size + 15) / 16 * 16;
    return at;
  }

 private:
  char* base_;
  std::size_t used_ = 0;
};

// By the one call that i386 programs had for all of them.
long socketcall(LowMemory& memory, int call, std::uint32_t one, std::uint32_t two, std::uint32_t three) {
  const std::uint32_t args[3] = {one, two, three};
  return call_32(102, call, memory.put(args, sizeof args), 0);
}

constexpr long i386_getpid = 20;
constexpr long i386_unlink = 10;
constexpr long i386_bind = 361;
constexpr long i386_listen = 363;

bool runs_32_bit_calls() {
  return in_child([] { return call_32(i386_getpid, 0, 0, 0) == ::getpid() ? "yes" : "no"; }) == "yes";
}

}  // namespace

TEST_CASE("32-bit programs are adopted, by socketcall and by calls of their own") {
  if (!runs_32_bit_calls()) {
    MESSAGE("skipped: this kernel runs no 32-bit programs");
    return;
  }
  const OwnNetwork network;
  AdoptedNames names;
  const in_port_t port = free_port();
  const auto next = static_cast<in_port_t>(port + 1);
  AdoptedWorker worker(names, 1, [&](const WorkerSide& test) {
    LowMemory memory;
    const Where where = v4(port);
    const long address = memory.put(where.get(), where.length);
    const auto s = static_cast<std::uint32_t>(socketcall(memory, SYS_SOCKET, AF_INET, SOCK_STREAM, 0));
    test.say(outcome(socketcall(memory, SYS_BIND, s, static_cast<std::uint32_t>(address), where.length)));
    test.say(outcome(socketcall(memory, SYS_LISTEN, s, 7, 0)));
    const Where other = v4(next);
    const int t = ::socket(AF_INET, SOCK_STREAM, 0);
    test.say(outcome(call_32(i386_bind, t, memory.put(other.get(), other.length), other.length)));
    test.say(outcome(call_32(i386_listen, t, 7, 0)));
    test.say(outcome(call_32(i386_unlink, memory.put("/nowhere", 9), 0, 0)));
    test.say(outcome(call_32(102, SYS_BIND, 8, 0)));
    test.wait();
  });
  for (const char* expected : {"ok", "ok", "ok", "ok", "ENOENT", "EFAULT"})
    CHECK(worker.hears() == std::string(expected));
  REQUIRE(worker.adoption().sockets().size() == 2);
  CHECK(worker.adoption().sockets()[0].listening);
  CHECK(worker.adoption().sockets()[1].listening);
  CHECK(worker.adoption().sockets()[1].address == "tcp 127.0.0.1:" + std::to_string(next));
}

TEST_CASE("nothing but bind, listen and unlink is asked about, of the 32-bit calls neither") {
  const bool with_32_bit = runs_32_bit_calls();
  // Nobody answers: a question would be for ever.
  CHECK(in_child([&] {
          ::alarm(60);
          ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
          const Fd listener(load_adoption_filter(adoption_filter(), true));
          int pair[2];
          ::socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
          const int s = ::socket(AF_INET, SOCK_STREAM, 0);
          const Where nobody = v4(1);
          ::connect(s, nobody.get(), nobody.length);
          ::getpid();
          ::syscall(0x40000000 + SYS_bind, -1, nullptr, 0);  // x32: this kernel's business
          if (with_32_bit) {
            LowMemory memory;
            const auto fd = static_cast<std::uint32_t>(pair[0]);
            const auto text = static_cast<std::uint32_t>(memory.put("text", 4));
            for (const int call : {SYS_SOCKET, SYS_CONNECT, SYS_SHUTDOWN}) socketcall(memory, call, fd, 0, 0);
            socketcall(memory, SYS_SEND, fd, text, 4);
            call_32(i386_getpid, 0, 0, 0);
          }
          return "asked nothing";
        }) == "asked nothing");
}

#endif
