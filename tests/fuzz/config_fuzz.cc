// A --config file, line by line, each line on to the option that it names.
#include "options/config_file.h"

#include <stdexcept>
#include <string>

#include "fuzz.h"
#include "options/one_line.h"
#include "options/option_table.h"
#include "options/options.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  if (text.find('\0') != std::string_view::npos) return 0;  // read_text_file refuses those
  graced::Complaints complaints;
  unsigned last = 0;
  for (const auto& line : graced::parse_config_file(text, "app.conf", complaints)) {
    fuzz::promise(line.line >= last, "lines come in the order of the file");
    last = line.line;
    const auto* const row = graced::find_run_option(line.option);
    if (row == nullptr) continue;
    graced::RunOptions options;
    try {
      row->read(options, line.value);
    } catch (const std::invalid_argument& why) {
      fuzz::promise(fuzz::is_one_line(graced::one_line(why.what(), 500)), "a complaint is one line");
    }
  }
  for (const auto& complaint : complaints.lines()) {
    fuzz::promise(fuzz::is_one_line(complaint), "a complaint is one line");
    fuzz::promise(complaint.starts_with("app.conf:"), "a complaint names the line");
  }
  return 0;
}
