// dlopen(3), once, and dlsym(3).
#include "linux/base/systemd.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <stdexcept>
#include <string>

#include "linux/base/fd.h"

namespace graced {

namespace {

constexpr const char* library_name = "libsystemd.so.0";

unsigned own_machine() {
#if defined(__x86_64__)
  return EM_X86_64;
#elif defined(__aarch64__)
  return EM_AARCH64;
#else
  return EM_NONE;  // it is loaded to find out
#endif
}

void* load() {
  static void* const library = ::dlopen(library_name, RTLD_LAZY | RTLD_LOCAL);
  if (library != nullptr) return library;
  const char* why = ::dlerror();  // once
  throw std::runtime_error(fmt::format("graced cannot be without {}, the package libsystemd0: {}", library_name,
                                       why ? why : "not loaded"));
}

// For this machine, and not cut off: the table of its sections is the last thing in a library.
bool is_in_its_place() {
  const Fd file(::open((GRACED_SYSTEMD_LIBDIR "/" + std::string(library_name)).c_str(), O_RDONLY | O_CLOEXEC));
  ElfW(Ehdr) header{};
  struct stat status {};
  if (!file || ::read(file.get(), &header, sizeof header) != sizeof header) return false;
  if (::fstat(file.get(), &status) != 0) return false;
  const auto end = header.e_shoff + std::uint64_t{header.e_shentsize} * header.e_shnum;
  return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_type == ET_DYN &&
         header.e_machine == own_machine() && end <= static_cast<std::uint64_t>(status.st_size);
}

}  // namespace

void load_systemd() {
  load();
}

void require_systemd() {
  if (::getenv("LD_LIBRARY_PATH") != nullptr || !is_in_its_place()) load();
}

void* systemd_symbol(const char* name) {
  void* const symbol = ::dlsym(load(), name);
  if (symbol == nullptr) throw std::runtime_error(::dlerror());
  return symbol;
}

}  // namespace graced
