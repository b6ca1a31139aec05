// What an upgrade in place is made of, one by one: names of descriptors, the state's file, the call, the
// answer.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "in_child.h"
#include "linux/base/pidfd.h"
#include "linux/upgrade/named_descriptor.h"
#include "linux/upgrade/state_file.h"
#include "linux/upgrade/trial_answer.h"
#include "linux/upgrade/upgrade_call.h"

namespace graced {
namespace {

Fd open_null() {
  return Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

std::string joined(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  return all;
}

TEST_CASE("a named descriptor that was closed, or opened for something else, is told by its name") {
  Fd first = open_null();
  const Fd second = open_pidfd(::getpid());
  std::vector<NamedDescriptor> named{named_descriptor("listener http", first.get()),
                                     named_descriptor("worker 1", second.get())};
  CHECK(wrong_descriptors(named).empty());
  CHECK(named[1].kind.starts_with("anon_inode:") == named[1].kind.ends_with("[pidfd]"));

  const Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  const int number = first.get();
  first.reset();
  CHECK(joined(wrong_descriptors(named)) == fmt::format("descriptor {} (listener http) is not open\n", number));

  REQUIRE(::dup3(epoll.get(), number, O_CLOEXEC) == number);
  const Fd again(number);
  CHECK(joined(wrong_descriptors(named)) ==
        fmt::format("descriptor {} (listener http) is open for something else, anon_inode:[eventpoll]\n",
                    number));
}

TEST_CASE("one descriptor with two names, and a standard one, are told") {
  const Fd fd = open_null();
  CHECK(joined(
            wrong_descriptors(std::vector{named_descriptor("a", fd.get()), named_descriptor("b", fd.get())})) ==
        fmt::format("descriptor {} is named twice, a and b\n", fd.get()));
  CHECK(joined(wrong_descriptors(std::vector{named_descriptor("a", 2)})) ==
        "descriptor 2 (a) is a standard one, or none\n");
}

TEST_CASE(
    "each descriptor without a name is told, but not what every loop has, nor what the starter left open") {
  CHECK(in_child([] {
          ::close_range(3, 199, 0);
          ::close_range(201, ~0U, 0);
          const Fd carried = open_null();
          const Fd left = open_null();
          const Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
          const Fd starters(::open("/dev/null", O_RDONLY));
          const Fd forgotten(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
          std::vector all{named_descriptor("a", carried.get())};
          const std::vector gone{named_descriptor("b", left.get()), named_descriptor("report", 200)};
          for (const NamedDescriptor& d : starter_descriptors(all, gone)) all.push_back(d);
          const auto unnamed = unnamed_descriptors(all, gone);
          const std::string expected = fmt::format("descriptor {} (socket:[", forgotten.get());
          if (all.size() != 2 || all[1].fd != starters.get()) return std::string("not the starter's");
          if (unnamed.size() != 1 || !unnamed[0].starts_with(expected)) return joined(unnamed);
          keep_over_exec(all, false);
          const bool still =
              ::fcntl(starters.get(), F_GETFD) == 0 && ::fcntl(carried.get(), F_GETFD) == FD_CLOEXEC;
          keep_over_exec(all, true);
          return std::string(still && ::fcntl(carried.get(), F_GETFD) == 0 ? "as it should" : "flags");
        }) == "as it should");
}

TEST_CASE("a state comes out as it went in, and no more than the limit is read") {
  std::string bytes(300'000, 'x');
  bytes[7] = '\0';
  const Fd file = write_state(bytes);
  CHECK(is_state(file.get()));
  CHECK(read_state(file.get()) == bytes);
  CHECK(read_state(file.get()) == bytes);  // from its start each time
  CHECK_THROWS_WITH(read_state(file.get(), 1000), "the state has 300000 bytes, and 1000 are the limit");
  CHECK(read_state(write_state("").get()).empty());
}

TEST_CASE("a state that somebody could still change is none") {
  const Fd file(::memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  REQUIRE(::write(file.get(), "x", 1) == 1);
  CHECK_FALSE(is_state(file.get()));
  CHECK_THROWS_WITH(read_state(file.get()),
                    doctest::Contains(fmt::format("descriptor {} is no sealed file", file.get()).c_str()));
  CHECK_THROWS(read_state(open_null().get()));
  CHECK_FALSE(is_state(-1));
}

UpgradeCall example(int state) {
  return {UpgradeCall::Kind::back, state, -1,       9, std::chrono::milliseconds(2500),
          0xf000'0000'0000'0003,   "a b", "it: x=y"};
}

std::string put(const std::string& text) {
  const std::size_t equals = text.find('=');
  ::setenv(text.substr(0, equals).c_str(), text.c_str() + equals + 1, 1);
  return text;
}

TEST_CASE("a call is understood by the process that it is for, once, and names it") {
  CHECK(in_child([] {
          const Fd state = write_state("x");
          put(text_of(example(state.get()), ::getpid()));
          const auto call = take_upgrade_call();
          if (!call || take_upgrade_call()) return std::string("not once");
          std::array<char, 17> name{};
          ::prctl(PR_GET_NAME, name.data());
          const UpgradeCall sent = example(state.get());
          const bool same = call->kind == sent.kind && call->state == sent.state && call->answer == -1 &&
                            call->old == sent.old && call->limit == sent.limit && call->mask == sent.mask &&
                            call->name == sent.name && call->why == sent.why;
          return (same ? "same, " : "other, ") + std::string(name.data());
        }) == "same, a b");
}

TEST_CASE(
    "a call for another process, of another kind, or without a state is none, and a later version's is read") {
  CHECK(in_child([] {
          const Fd state = write_state("x");
          const std::string good = put(text_of(example(state.get()), ::getpid()));
          if (!take_upgrade_call()) return std::string("good");
          const auto is_none = [](const std::string& text) {
            put(text);
            return !take_upgrade_call() && ::getenv("GRACED_UPGRADE") == nullptr;
          };
          if (!is_none(text_of(example(state.get()), ::getppid()))) return std::string("another process");
          if (!is_none("GRACED_UPGRADE=yes")) return std::string("a word");
          if (!is_none("GRACED_UPGRADE=")) return std::string("nothing");
          if (!is_none("GRACED_UPGRADE=replace" + good.substr(good.find(" pid=")))) return std::string("kind");
          if (!is_none(text_of(example(1), ::getpid()))) return std::string("no state");
          put("GRACED_UPGRADE=back colour=blue flag" + good.substr(good.find(" pid=")));
          const auto later = take_upgrade_call();
          return std::string(later && later->why == "it: x=y" ? "as it should" : "later");
        }) == "as it should");
}

TEST_CASE("an answer is yes with rights, no with a reason, or none") {
  const auto yes = parse_answer("OK user=7 group=8 capabilities=ff\n");
  REQUIRE(yes);
  REQUIRE(yes->yes);
  REQUIRE(yes->rights);
  CHECK(yes->rights->user == 7);
  CHECK(yes->rights->group == 8);
  CHECK(yes->rights->capabilities == 0xff);
  CHECK(yes->version.empty());
  CHECK(parse_answer("OK user=7 group=8 capabilities=ff version=0.3.0~rc1\n")->version == "0.3.0~rc1");
  CHECK(parse_answer("OK user=7 group=8 capabilities=ff colour=blue version=0.3 tail\n")->version == "0.3");
  CHECK(parse_answer("NO it is \x1b[31mred\n")->no == "it is \\x1b[31mred");
  const auto no = parse_answer("NO user=7 group=8 capabilities=f why=it cannot bind\n");
  REQUIRE(no);
  CHECK_FALSE(no->yes);
  REQUIRE(no->rights);
  CHECK(no->rights->capabilities == 0xf);
  CHECK(no->no == "it cannot bind");
  for (const char* text : {"", "OK", "OK\n", "OK user=x group=8 capabilities=ff\n", "OK user=7 group=8\n",
                           "OK user=7 group=8 capabilities=ff", "MAYBE\n"}) {
    CHECK_FALSE(parse_answer(text));
  }
}

TEST_CASE("rights that would be missing are told by their names, and more rights are no fault") {
  const auto bit = [](int number) { return std::uint64_t{1} << number; };
  const Rights now{5, 6, bit(CAP_BPF) | bit(CAP_NET_ADMIN) | bit(CAP_KILL)};
  CHECK(missing_rights(now, now).empty());
  CHECK(missing_rights(now, {5, 6, ~std::uint64_t{0}}).empty());
  CHECK(missing_rights(now, {5, 6, bit(CAP_KILL)}).find(": net_admin, bpf (") != std::string::npos);
  CHECK(missing_rights(now, {0, 6, ~std::uint64_t{0}}).find("as user 0 and group 6, not as 5 and 6") !=
        std::string::npos);
}

}  // namespace
}  // namespace graced
