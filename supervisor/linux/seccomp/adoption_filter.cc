// libseccomp 2.5 writes a filter to a descriptor only, so it goes through a memfd.
#include "linux/seccomp/adoption_filter.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "linux/base/fd.h"
#include "linux/base/sys_error.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

namespace graced {

namespace {

using Context = std::unique_ptr<void, void (*)(scmp_filter_ctx)>;

void must(int result, const char* what) {
  if (result < 0) throw sys_error_of(result, "seccomp filter: {}", what);
}

std::vector<sock_filter> exported(scmp_filter_ctx context) {
  const Fd file(::memfd_create("filter", MFD_CLOEXEC));
  if (!file) throw sys_error("seccomp filter: memfd_create");
  must(::seccomp_export_bpf(context, file.get()), "export");
  const off_t size = ::lseek(file.get(), 0, SEEK_END);
  std::vector<sock_filter> filter(static_cast<std::size_t>(size) / sizeof(sock_filter));
  if (::pread(file.get(), filter.data(), static_cast<std::size_t>(size), 0) != size) {
    throw sys_error("seccomp filter: read it back");
  }
  return filter;
}

// A 32-bit socketcall(2) has the call's number in a register: libseccomp compares that, so accept, send and
// the rest of them are not asked about.
std::vector<sock_filter> build() {
  // Else libseccomp asks the kernel what it can do, and makes no filter where that is too little; we want to
  // hear that from the kernel, when the filter is loaded.
  must(::seccomp_api_set(5), "ask for user notification");
  const Context context(::seccomp_init(SCMP_ACT_ALLOW), ::seccomp_release);
  if (!context) throw sys_error_of(ENOMEM, "seccomp filter: create it");
  scmp_filter_ctx filter = context.get();
  // Calls of yet another kind (x32) are none of our business.
  must(::seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW), "allow other architectures");
#if defined(__x86_64__)
  must(::seccomp_arch_add(filter, SCMP_ARCH_X86), "add i386");
#elif defined(__aarch64__)
  must(::seccomp_arch_add(filter, SCMP_ARCH_ARM), "add arm");
#endif
  // The comparisons as a tree: every call that the worker makes goes through them.
  must(::seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2), "sort the calls");
  for (const int call :
       {SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename),
        SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(link), SCMP_SYS(linkat)}) {
    must(::seccomp_rule_add(filter, SCMP_ACT_NOTIFY, call, 0), "add a call");
  }
  return exported(filter);
}

}  // namespace

const std::vector<sock_filter>& adoption_filter() {
  static const std::vector<sock_filter> filter = build();
  return filter;
}

int load_adoption_filter(const std::vector<sock_filter>& filter, bool wait_killable) noexcept {
  unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
  if (wait_killable) flags |= SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
  const sock_fprog program{static_cast<unsigned short>(filter.size()), const_cast<sock_filter*>(filter.data())};
  return static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
}

std::string adoption_filter_refused(int code) {
  switch (code) {
    case EBUSY:
      return "another seccomp listener is installed already, by a container runtime perhaps (give the "
             "addresses "
             "with --listen)";
    case EACCES:
      return "needs CAP_SYS_ADMIN or no_new_privs";
    case EINVAL:
    case ENOSYS:
      return "this kernel has no seccomp user notification (it takes Linux 5.14 with CONFIG_SECCOMP_FILTER)";
    case EPERM:
      return "seccomp(2) is forbidden here, by a container's own filter perhaps (give the addresses with "
             "--listen)";
    default:
      return fmt::format("seccomp: {}", std::generic_category().message(code));
  }
}

}  // namespace graced
