// execveat(2).
#include "linux/upgrade/succession.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "linux/base/sys_error.h"
#include "linux/upgrade/state_file.h"

namespace graced {

namespace {

// Its file may be gone, or another one may have its name.
Fd open_own_image() {
  Fd image(::open("/proc/self/exe", O_PATH | O_CLOEXEC));
  if (!image) throw sys_error("open /proc/self/exe");
  return image;
}

// All signals wait while this lives, whoever looks for them then.
class AllBlocked {
 public:
  AllBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before_);
  }
  ~AllBlocked() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
  AllBlocked(const AllBlocked&) = delete;
  AllBlocked& operator=(const AllBlocked&) = delete;

 private:
  sigset_t before_{};
};

// Only what the exec is to leave open is open after it, and only while this lives.
class Kept {
 public:
  Kept(std::span<const NamedDescriptor> carried, int state, int old)
      : carried_(carried), state_(state), old_(old) {
    set(true);
  }
  ~Kept() { set(false); }
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;

 private:
  void set(bool keep) {
    keep_over_exec(carried_, keep);
    keep_over_exec(state_, keep);
    keep_over_exec(old_, keep);
  }

  std::span<const NamedDescriptor> carried_;
  int state_;
  int old_;
};

}  // namespace

std::vector<std::string> faults_of(const Succession& succession) {
  std::vector<std::string> faults = wrong_descriptors(succession.carried);
  for (std::string& unnamed : unnamed_descriptors(succession.carried, succession.left))
    faults.push_back(std::move(unnamed));
  return faults;
}

std::vector<char*> pointers_to(const std::vector<std::string>& words, const std::string* last) {
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  if (last) pointers.push_back(const_cast<char*>(last->c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

UpgradeCall call_for(UpgradeCall::Kind kind, int state, Duration limit) {
  UpgradeCall call;
  call.kind = kind;
  call.state = state;
  call.limit = limit;
  sigset_t blocked;
  ::sigprocmask(SIG_SETMASK, nullptr, &blocked);
  for (int signo = 1; signo <= 64; ++signo) {
    if (::sigismember(&blocked, signo) == 1) call.mask |= std::uint64_t{1} << (signo - 1);
  }
  std::array<char, 17> name{};
  if (::prctl(PR_GET_NAME, name.data()) == 0) call.name = name.data();
  return call;
}

void exec_image(int image, char* const* arguments, char* const* environment) noexcept {
  ::syscall(SYS_execveat, image, "", arguments, environment, AT_EMPTY_PATH);
}

std::string become_new_image(const NewImage& image, const Succession& succession) {
  if (image.written()) return image.path() + " was written to after it was tried";
  const Fd state = write_state(succession.state);
  const Fd old = open_own_image();
  UpgradeCall call = call_for(UpgradeCall::Kind::resume, state.get(), succession.limit);
  call.old = old.get();
  const std::string word = text_of(call, ::getpid());

  Succession with_ours{{}, succession.carried, succession.left, {}, {}, {}};
  for (const int fd : {state.get(), old.get(), image.fd()})
    with_ours.left.push_back(named_descriptor("of the upgrade", fd));
  if (const auto faults = faults_of(with_ours); !faults.empty())
    return fmt::format("{}{}", faults.front(),
                       faults.size() > 1 ? fmt::format(", and {} more", faults.size() - 1) : "");

  const std::vector<char*> arguments = pointers_to(succession.arguments);
  const std::vector<char*> environment = pointers_to(succession.environment, &word);
  int code = 0;
  {
    const AllBlocked blocked;
    const Kept kept(succession.carried, state.get(), old.get());
    exec_image(image.fd(), arguments.data(), environment.data());
    code = errno;
  }
  return fmt::format("exec {}: {}", image.path(), std::strerror(code));
}

}  // namespace graced
