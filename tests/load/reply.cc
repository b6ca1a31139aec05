// Status line, headers, then a body by length, in chunks, or until the end.
#include "reply.h"

#include <algorithm>
#include <charconv>

namespace load {
namespace {

constexpr std::size_t kept_body = 256;
constexpr std::size_t longest_head = 64 * 1024;

bool same(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  return first == text.npos ? "" : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

template <class T>
bool parse(std::string_view text, T& value, int base = 10) {
  const auto end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  return error == std::errc{} && stop == end;
}

}  // namespace

Reply::State Reply::feed(std::string_view bytes) {
  if (bytes.empty() || state_ == State::malformed) return state_;
  state_ = State::partial;
  pending_ += bytes;
  advance();
  if (state_ == State::malformed) return state_;
  if (stage_ == Stage::done) state_ = pending_.empty() ? State::complete : State::malformed;
  return state_;
}

Reply::State Reply::end() {
  if (stage_ == Stage::until_close && state_ == State::partial) {
    keep_alive_ = false;
    state_ = State::complete;
  }
  return state_;
}

void Reply::advance() {
  while (state_ == State::partial) {
    switch (stage_) {
      case Stage::head:
        if (pending_.size() > longest_head) state_ = State::malformed;
        if (pending_.find("\r\n\r\n") == pending_.npos) return;
        read_head();
        break;
      case Stage::sized:
        take_body();
        if (left_ > 0) return;
        stage_ = Stage::done;
        break;
      case Stage::until_close:
        left_ = pending_.size();
        take_body();
        return;
      case Stage::chunk_size: {
        const auto line = take_line();
        if (!line) return;
        if (!parse(trimmed(std::string_view(*line).substr(0, line->find(';'))), left_, 16))
          state_ = State::malformed;
        stage_ = left_ == 0 ? Stage::trailer : Stage::chunk;
        break;
      }
      case Stage::chunk:
        take_body();
        if (left_ > 0) return;
        stage_ = Stage::chunk_end;
        break;
      case Stage::chunk_end: {
        const auto line = take_line();
        if (!line) return;
        if (!line->empty()) state_ = State::malformed;
        stage_ = Stage::chunk_size;
        break;
      }
      case Stage::trailer: {
        const auto line = take_line();
        if (!line) return;
        if (line->empty()) stage_ = Stage::done;
        break;
      }
      case Stage::done:
        return;
    }
  }
}

std::optional<std::string> Reply::take_line() {
  const auto end = pending_.find("\r\n");
  if (end == pending_.npos) {
    if (pending_.size() > longest_head) state_ = State::malformed;
    return std::nullopt;
  }
  std::string line = pending_.substr(0, end);
  pending_.erase(0, end + 2);
  return line;
}

void Reply::take_body() {
  const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(left_, pending_.size()));
  body_.append(pending_, 0, std::min(length, kept_body - body_.size()));
  pending_.erase(0, length);
  left_ -= length;
}

void Reply::read_head() {
  const auto end = pending_.find("\r\n\r\n");
  const std::string head = pending_.substr(0, end);
  pending_.erase(0, end + 4);

  // "HTTP/1.1 200 OK"
  if (head.size() < 12 || !head.starts_with("HTTP/1.") || head[8] != ' ' ||
      !parse(std::string_view(head).substr(9, 3), status_)) {
    state_ = State::malformed;
    return;
  }
  keep_alive_ = head[7] == '1';
  has_length_ = chunked_ = false;
  for (std::size_t from = head.find("\r\n"); from != head.npos;) {
    from += 2;
    const auto stop = head.find("\r\n", from);
    read_header(std::string_view(head).substr(from, stop == head.npos ? stop : stop - from));
    from = stop;
  }
  if (state_ == State::malformed) return;

  if (status_ / 100 == 1) {
    stage_ = Stage::head;  // an interim answer: the real one follows
  } else if (status_ == 204 || status_ == 304) {
    stage_ = Stage::done;
  } else if (chunked_) {
    stage_ = Stage::chunk_size;
  } else {
    stage_ = has_length_ ? Stage::sized : Stage::until_close;
  }
}

void Reply::read_header(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == line.npos) {
    state_ = State::malformed;
    return;
  }
  const auto name = line.substr(0, colon);
  const auto value = trimmed(line.substr(colon + 1));
  if (same(name, "Content-Length")) {
    has_length_ = true;
    if (!parse(value, left_)) state_ = State::malformed;
  } else if (same(name, "Transfer-Encoding")) {
    chunked_ = same(value, "chunked");
  } else if (same(name, "Connection")) {
    if (same(value, "close")) keep_alive_ = false;
    if (same(value, "keep-alive")) keep_alive_ = true;
  }
}

}  // namespace load
