#include "linux/control/log_wire.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>

#include "linux/base/sys_error.h"

namespace graced::control {

namespace {

using std::chrono::microseconds;

constexpr std::uint32_t no_number = std::numeric_limits<std::uint32_t>::max();
constexpr const char* line_fields = "tttuisb";
constexpr const char* line_contents = "tttuisbay";

constexpr auto places = std::to_array<std::pair<const char*, LogPlace>>(
    {{"nowhere", LogPlace::nowhere}, {"kept", LogPlace::kept}, {"journal", LogPlace::journal}});

int must(int result) {
  if (result < 0) throw sys_error_of(result, "carry lines of workers");
  return result;
}

void append(sd_bus_message* m, const KeptLine& line) {
  const auto at = std::chrono::floor<microseconds>(line.at.time_since_epoch()).count();
  must(sd_bus_message_open_container(m, 'r', line_contents));
  must(sd_bus_message_append(m, line_fields, line.number,
                             static_cast<std::uint64_t>(std::max<std::int64_t>(0, at)),
                             line.by.generation.value_or(0), line.by.worker.value_or(no_number), line.by.pid,
                             line.by.at_stderr ? "stderr" : "stdout", line.said.continues ? 1 : 0));
  must(sd_bus_message_append_array(m, 'y', static_cast<const void*>(line.said.text.data()),
                                   line.said.text.size()));
  must(sd_bus_message_close_container(m));
}

KeptLine read(sd_bus_message* m) {
  KeptLine line;
  std::uint64_t at = 0, generation = 0;
  std::uint32_t worker = 0;
  const char* stream = nullptr;
  int continues = 0;
  const void* bytes = nullptr;
  std::size_t size = 0;
  must(sd_bus_message_enter_container(m, 'r', line_contents));
  must(sd_bus_message_read(m, line_fields, &line.number, &at, &generation, &worker, &line.by.pid, &stream,
                           &continues));
  must(sd_bus_message_read_array(m, 'y', &bytes, &size));
  must(sd_bus_message_exit_container(m));
  // Whoever is at the other end says what it likes: no clock goes that far.
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max() / 1000;
  line.at += microseconds(static_cast<std::int64_t>(std::min(at, most)));
  line.by.generation = generation;
  if (worker != no_number) line.by.worker = worker;
  line.by.at_stderr = std::string_view(stream) == "stderr";
  line.said.continues = continues != 0;
  if (size > 0) line.said.text.assign(static_cast<const char*>(bytes), size);
  return line;
}

}  // namespace

void append_log_page(sd_bus_message* message, const LogPage& page) {
  const auto* const place = std::ranges::find(places, page.place, &std::pair<const char*, LogPlace>::second);
  must(sd_bus_message_append(message, "st", place->first, page.next));
  must(sd_bus_message_open_container(message, 'a', log_line_signature));
  for (const KeptLine& line : page.lines) append(message, line);
  must(sd_bus_message_close_container(message));
}

LogPage read_log_page(sd_bus_message* message) {
  LogPage page;
  const char* word = nullptr;
  must(sd_bus_message_read(message, "st", &word, &page.next));
  for (const auto& [name, place] : places) {
    if (std::string_view(word) == name) page.place = place;
  }
  must(sd_bus_message_enter_container(message, 'a', log_line_signature));
  while (must(sd_bus_message_at_end(message, 0)) == 0) page.lines.push_back(read(message));
  must(sd_bus_message_exit_container(message));
  return page;
}

}  // namespace graced::control
