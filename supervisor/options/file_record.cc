// Fields, each ended by a NUL byte, which is in no path, text or message: "?", path; then "t", the text, or
// "e", an errno, or "m", a message.
#include "options/file_record.h"

#include <fmt/format.h>

#include <stdexcept>
#include <system_error>
#include <vector>

#include "core/number.h"

namespace graced {

namespace {

std::string fields(std::string_view kind, std::string_view content) {
  std::string piece(kind);
  piece += '\0';
  piece += content;
  piece += '\0';
  return piece;
}

}  // namespace

ReadText recording_reader(std::function<void(std::string_view piece)> write) {
  return [write = std::move(write)](const std::string& path) {
    write(fields("?", path));
    try {
      std::string text = read_text_file(path);
      write(fields("t", text));
      return text;
    } catch (const std::system_error& e) {
      write(fields("e", std::to_string(e.code().value())));
      throw;
    } catch (const std::exception& e) {
      write(fields("m", e.what()));
      throw;
    }
  };
}

std::map<std::string, FileRecord::Entry> FileRecord::entries(std::string* unfinished) const {
  std::map<std::string, Entry> found;
  Entry* last = nullptr;
  for (std::size_t at = 0; at < record_.size();) {
    const std::size_t kind_ends = record_.find('\0', at);
    const std::size_t content_ends =
        kind_ends == std::string::npos ? kind_ends : record_.find('\0', kind_ends + 1);
    if (content_ends == std::string::npos) break;  // the rest is still to come
    const char kind = record_[at];
    const std::string content = record_.substr(kind_ends + 1, content_ends - kind_ends - 1);
    at = content_ends + 1;
    if (kind == '?') {
      last = &(found[content] = Entry{.path = content});
    } else if (last) {
      last->kind = kind;
      last->content = content;
    }
  }
  if (unfinished) *unfinished = last && last->kind == '?' ? last->path : "";
  return found;
}

std::string FileRecord::read(const std::string& path) const {
  const std::map<std::string, Entry> all = entries(nullptr);
  const auto entry = all.find(path);
  if (entry == all.end() || entry->second.kind == '?') throw std::runtime_error("it could not be read");
  switch (entry->second.kind) {
    case 't':
      return entry->second.content;
    case 'e':
      throw std::system_error{parse_number<int>(entry->second.content, 0, 4095).value_or(EIO),
                              std::generic_category()};
    default:
      throw std::invalid_argument{entry->second.content};
  }
}

std::string FileRecord::unfinished() const {
  std::string path;
  entries(&path);
  return path;
}

}  // namespace graced
