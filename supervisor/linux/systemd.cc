// dlopen(3), once, and dlsym(3).
#include "linux/systemd.h"

#include <dlfcn.h>

#include <stdexcept>

namespace graced {

void* systemd_symbol(const char* name) {
  static void* const library = ::dlopen("libsystemd.so.0", RTLD_LAZY | RTLD_LOCAL);
  void* const symbol = library != nullptr ? ::dlsym(library, name) : nullptr;
  if (symbol == nullptr) throw std::runtime_error(::dlerror());
  return symbol;
}

}  // namespace graced
