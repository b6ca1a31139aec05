// The values of options: durations, signals, and whatever else a row of the table reads.
// The first byte chooses the row; all but the complaint is the row's own business.
#include <csignal>
#include <stdexcept>
#include <string>

#include "core/number.h"
#include "core/time.h"
#include "fuzz.h"
#include "options/one_line.h"
#include "options/option_table.h"
#include "options/option_values.h"

namespace {

void durations(std::string_view text) {
  const auto time = graced::parse_duration(text);
  if (!time) return;
  fuzz::promise(*time >= graced::Duration::zero(), "no time is negative");
  fuzz::promise(graced::parse_duration(graced::to_text(*time)) == time, "a time is read as it is written");
  fuzz::promise(!graced::to_rough_text(*time).empty(), "a time has a rough form");
}

void signals(std::string_view text) {
  int number = 0;
  try {
    number = graced::read_signal(text);
  } catch (const std::invalid_argument&) { return; }
  fuzz::promise(number > 0 && number < NSIG, "a signal is one of the kernel's");
  fuzz::promise(graced::read_signal(graced::signal_name(number)) == number,
                "a signal is read as it is written");
}

void rows(std::string_view text) {
  const auto all = graced::run_options();
  const auto& row = all[static_cast<unsigned char>(text.front()) % all.size()];
  graced::RunOptions options;
  try {
    row.read(options, std::string(text.substr(1)));
  } catch (const std::invalid_argument& why) {
    fuzz::promise(fuzz::is_one_line(graced::one_line(why.what(), 500)), "a complaint is one line");
    return;
  }
  if (row.show != nullptr && !row.repeatable) static_cast<void>(row.show(options));
}

void yes_or_no(std::string_view text) {
  try {
    static_cast<void>(graced::yes_or_no(text));
  } catch (const std::invalid_argument&) {}
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto text = fuzz::text_of(data, size);
  durations(text);
  signals(text);
  static_cast<void>(graced::parse_size(text));
  yes_or_no(text);
  rows(text);
  return 0;
}
