// What a worker writes to stderr: passed on unchanged, its last lines remembered, and shown safely. The
// first byte says how long the pieces are that it comes in.
#include <string>

#include "core/line_buffer.h"
#include "core/printable.h"
#include "fuzz.h"
#include "linux/control/control_wire.h"
#include "options/one_line.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = std::size_t{1} + data[0];
  const auto text = fuzz::text_of(data + 1, size - 1);

  graced::LineBuffer lines;
  std::string passed_on;
  for (std::size_t at = 0; at < text.size(); at += step) {
    passed_on += lines.feed(text.substr(at, step));
    if (at / step % 3 == 0) passed_on += lines.take_unfinished();
  }
  const auto last = lines.last_lines();
  fuzz::promise(last.size() <= graced::LineBuffer::kept_lines, "only the last lines are kept");
  passed_on += lines.finish();
  fuzz::promise(passed_on.substr(0, text.size()) == text, "stderr is passed on unchanged");
  fuzz::promise(passed_on.size() <= text.size() + 1, "at most the last newline is added");

  for (const auto& line : last) {
    fuzz::promise(line.size() <= graced::LineBuffer::kept_line_length, "only the beginning of a line is kept");
  }
  const auto shown = graced::printable(text);
  fuzz::promise(fuzz::is_one_line(shown), "what is shown is one line");
  fuzz::promise(graced::control::to_utf8(shown) == shown, "what is shown is UTF-8");
  const auto sent = graced::control::to_utf8(text);
  fuzz::promise(graced::control::to_utf8(sent) == sent, "UTF-8 stays as it is");
  fuzz::promise(fuzz::is_one_line(graced::one_line(text)), "one line is one line");
  return 0;
}
