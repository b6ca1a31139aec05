#include "core/line_buffer.h"

#include <utility>

namespace graced {

std::string LineBuffer::feed(std::string_view bytes) {
  const std::size_t last_newline = bytes.rfind('\n');
  std::string whole;
  if (last_newline == std::string_view::npos) {
    unfinished_.append(bytes);
  } else {
    whole = std::exchange(unfinished_, std::string(bytes.substr(last_newline + 1)));
    whole.append(bytes.substr(0, last_newline + 1));
  }
  remember(whole);
  if (!whole.empty()) whole.erase(0, std::exchange(passed_on_, 0));
  if (unfinished_.size() > longest_) {
    remember(unfinished_ + "\n");
    whole += take_unfinished();
    unfinished_.clear();
    passed_on_ = 0;
  }
  return whole;
}

std::string LineBuffer::take_unfinished() {
  return unfinished_.substr(std::exchange(passed_on_, unfinished_.size()));
}

std::string LineBuffer::finish() {
  if (unfinished_.empty()) return {};
  std::string rest = std::exchange(unfinished_, {}) + "\n";
  remember(rest);
  rest.erase(0, std::exchange(passed_on_, 0));
  return rest;
}

std::vector<std::string> LineBuffer::last_lines() const {
  std::vector<std::string> lines(last_.begin(), last_.end());
  if (!unfinished_.empty()) lines.push_back(unfinished_.substr(0, kept_line_length));
  if (lines.size() > kept_lines) lines.erase(lines.begin());
  return lines;
}

// From the end, so that a flood costs no more than the lines that stay.
void LineBuffer::remember(std::string_view whole_lines) {
  std::deque<std::string> fresh;
  while (!whole_lines.empty() && fresh.size() < kept_lines) {
    whole_lines.remove_suffix(1);
    const std::size_t newline = whole_lines.rfind('\n');
    const std::size_t from = newline == std::string_view::npos ? 0 : newline + 1;
    fresh.emplace_front(whole_lines.substr(from, kept_line_length));
    whole_lines = whole_lines.substr(0, from);
  }
  for (std::string& line : fresh) last_.push_back(std::move(line));
  while (last_.size() > kept_lines) last_.pop_front();
}

}  // namespace graced
