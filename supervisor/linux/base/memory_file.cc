#include "linux/base/memory_file.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "linux/base/pipe_text.h"
#include "linux/base/sys_error.h"

namespace graced {

Fd make_memory_file(const char* name, std::string_view text) {
  Fd file(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) throw sys_error("memfd_create");
  write_all(file.get(), text);
  if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
    throw sys_error("seal a memory file");
  if (::lseek(file.get(), 0, SEEK_SET) != 0) throw sys_error("lseek");
  return file;
}

}  // namespace graced
