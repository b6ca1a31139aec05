#include "linux/takeover/listening_rows.h"

#include <string>

#include "linux/proc/proc_file.h"

namespace graced {

std::vector<InternetRow> listening_rows(std::initializer_list<const char*> tables) {
  std::vector<InternetRow> rows;
  for (const char* const table : tables) {
    const std::string text = contents_of(std::string("/proc/self/net/") + table).value_or("");
    for (const InternetRow& row : parse_internet_table(text)) {
      if (row.listens && row.inode != 0) rows.push_back(row);
    }
  }
  return rows;
}

}  // namespace graced
