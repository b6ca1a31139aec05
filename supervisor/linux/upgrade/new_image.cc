// elf(5).
#include "linux/upgrade/new_image.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <link.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace graced {

namespace {

using Header = ElfW(Ehdr);
using Segment = ElfW(Phdr);

template <class T>
bool read_at(int fd, std::uint64_t offset, T* where, std::size_t count = 1) {
  const auto size = static_cast<ssize_t>(count * sizeof(T));
  return ::pread(fd, where, count * sizeof(T), static_cast<off_t>(offset)) == size;
}

std::optional<unsigned> own_machine() {
  const Fd self(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  Header header;
  if (!self || !read_at(self.get(), 0, &header)) return std::nullopt;  // then the trial tells
  return header.e_machine;
}

bool is_of_this_machine(const Header& header) {
  const int word = sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32;
  const int order = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;
  if (header.e_ident[EI_CLASS] != word || header.e_ident[EI_DATA] != order) return false;
  const auto own = own_machine();
  return !own || header.e_machine == *own;
}

// How long the file must be for what its headers speak of. nullopt: they are not all there.
std::optional<std::uint64_t> length_needed(int fd, const Header& header) {
  std::uint64_t needed = header.e_shoff + std::uint64_t{header.e_shnum} * header.e_shentsize;
  std::vector<Segment> segments(header.e_phnum);
  if (header.e_phentsize != sizeof(Segment) || !read_at(fd, header.e_phoff, segments.data(), segments.size())) {
    return std::nullopt;
  }
  for (const Segment& segment : segments) {
    if (segment.p_type == PT_LOAD)
      needed = std::max<std::uint64_t>(needed, segment.p_offset + segment.p_filesz);
  }
  return needed;
}

// Empty: it can be executed, as far as can be told from outside.
std::string fault_of(int fd, std::uint64_t size) {
  char beginning[SELFMAG] = {};
  if (!read_at(fd, 0, beginning, sizeof beginning)) return "is no ELF file";
  if (std::string_view(beginning, 2) == "#!") return "is a script: only an ELF file can take over";
  if (std::memcmp(beginning, ELFMAG, SELFMAG) != 0) return "is no ELF file";
  Header header;
  if (!read_at(fd, 0, &header)) return "is truncated: its header is not all there";
  if (!is_of_this_machine(header)) return "is an ELF file of another machine";
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) return "is an ELF file, but no program";
  const auto needed = length_needed(fd, header);
  if (!needed) return "is truncated: its headers are not all there";
  if (*needed > size)
    return fmt::format("is truncated: it has {} bytes, and its headers speak of {}", size, *needed);
  return "";
}

}  // namespace

NewImage::NewImage(const std::string& path)
    : path_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {
  if (!file_) throw std::runtime_error(fmt::format("{}: {}", path, std::strerror(errno)));
  if (::fstat(file_.get(), &then_) != 0)
    throw std::runtime_error(fmt::format("{}: {}", path, std::strerror(errno)));
  if (!S_ISREG(then_.st_mode)) throw std::runtime_error(path + " is no regular file");
  // Also on a file system that is mounted with noexec.
  if (::faccessat(file_.get(), "", X_OK, AT_EMPTY_PATH | AT_EACCESS) != 0) {
    throw std::runtime_error(fmt::format("{} is not executable: {}", path, std::strerror(errno)));
  }
  const std::string fault = fault_of(file_.get(), static_cast<std::uint64_t>(then_.st_size));
  if (!fault.empty()) throw std::runtime_error(path + " " + fault);
}

bool NewImage::written() const {
  struct stat now {};
  if (::fstat(file_.get(), &now) != 0) return true;
  return now.st_size != then_.st_size || now.st_mtim.tv_sec != then_.st_mtim.tv_sec ||
         now.st_mtim.tv_nsec != then_.st_mtim.tv_nsec;
}

}  // namespace graced
