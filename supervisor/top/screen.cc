#define NCURSES_NOMACROS 1
#include "top/screen.h"

#include <curses.h>
#include <fmt/format.h>
#include <langinfo.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <clocale>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

#include "core/printable.h"
#include "core/utf8.h"
#include "linux/self/terminal.h"

namespace graced {
namespace {

constexpr int escape = 27;
constexpr int escape_delay_ms = 25;

[[noreturn]] void cannot(const std::string& why) {
  throw std::runtime_error(why + "; graced list and graced status show the same without");
}

std::string ascii(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    const Decoded next = decode_utf8(text);
    if (next.length == 1)
      plain += text.front();
    else
      plain += next.character == U'\u2026' ? '~' : '?';
    text.remove_prefix(std::max<std::size_t>(1, next.length));
  }
  return plain;
}

enum Pair : short { green = 1, yellow, red };

// Where there is no colour, what is red is bold.
int attributes_of(Paint paint, bool colours) {
  const auto coloured = [&](Pair pair, int otherwise) {
    return colours ? static_cast<int>(COLOR_PAIR(pair)) : otherwise;
  };
  switch (paint) {
    case Paint::plain:
      return A_NORMAL;
    case Paint::bold:
      return A_BOLD;
    case Paint::dim:
      return A_DIM;
    case Paint::green:
      return coloured(green, A_NORMAL);
    case Paint::yellow:
      return coloured(yellow, A_NORMAL);
    case Paint::red:
      return coloured(red, A_BOLD);
  }
  return A_NORMAL;
}

Key key_of(int code) {
  using Kind = Key::Kind;
  switch (code) {
    case KEY_UP:
      return {Kind::up};
    case KEY_DOWN:
      return {Kind::down};
    case KEY_PPAGE:
      return {Kind::page_up};
    case KEY_NPAGE:
      return {Kind::page_down};
    case KEY_HOME:
      return {Kind::home};
    case KEY_END:
      return {Kind::end};
    case KEY_ENTER:
    case '\n':
    case '\r':
      return {Kind::enter};
    case escape:
    case KEY_BACKSPACE:
    case KEY_LEFT:
    case '\b':
    case 127:
      return {Kind::back};
    case KEY_RESIZE:
      return {Kind::resized};
    default:
      break;
  }
  if (code >= ' ' && code < 127) return {Kind::character, static_cast<char>(code)};
  return {Kind::none};
}

}  // namespace

Screen::Screen(bool colour) {
  if (!is_terminal(STDOUT_FILENO) || !is_terminal(STDIN_FILENO))
    cannot("graced top needs a terminal, and this is none");
  const char* const term = std::getenv("TERM");
  const std::string name = term != nullptr ? term : "";
  if (name.empty() || name == "dumb" || name == "unknown")
    cannot(fmt::format("graced top needs a terminal whose cursor can be moved, and TERM is '{}'",
                       printable(name)));
  std::setlocale(LC_ALL, "");
  utf8_ = std::string_view(nl_langinfo(CODESET)) == "UTF-8";
  if (newterm(nullptr, stdout, stdin) == nullptr)
    cannot(fmt::format("this machine knows no terminal '{}' (TERM)", printable(name)));
  if (tigetstr("cup") == nullptr) {
    endwin();
    cannot(fmt::format("graced top needs a terminal whose cursor can be moved, and TERM is '{}'",
                       printable(name)));
  }
  set_escdelay(escape_delay_ms);
  cbreak();
  noecho();
  nonl();
  curs_set(0);
  keypad(stdscr, true);
  colours_ = colour && has_colors();
  if (colours_) {
    start_color();
    use_default_colors();
    init_pair(green, COLOR_GREEN, -1);
    init_pair(yellow, COLOR_YELLOW, -1);
    init_pair(red, COLOR_RED, -1);
  }
}

Screen::~Screen() {
  endwin();
}

std::size_t Screen::columns() const {
  return static_cast<std::size_t>(std::max(1, getmaxx(stdscr)));
}

std::size_t Screen::rows() const {
  return static_cast<std::size_t>(std::max(1, getmaxy(stdscr)));
}

void Screen::show(const std::vector<Line>& lines) {
  werase(stdscr);
  const std::size_t width = columns();
  for (std::size_t row = 0; row < lines.size() && row < rows(); ++row) {
    const int chosen = lines[row].chosen ? static_cast<int>(A_REVERSE) : 0;
    wmove(stdscr, static_cast<int>(row), 0);
    const Line shown = cut(lines[row], width);
    for (const Span& span : shown.spans) {
      wattrset(stdscr, attributes_of(span.paint, colours_) | chosen);
      const std::string text = utf8_ ? span.text : ascii(span.text);
      waddnstr(stdscr, text.data(), static_cast<int>(text.size()));
    }
    if (chosen != 0) {
      const std::size_t used = columns_of(shown);
      wattrset(stdscr, chosen);
      if (used < width) waddstr(stdscr, std::string(width - used, ' ').c_str());
    }
  }
  wattrset(stdscr, A_NORMAL);
  wrefresh(stdscr);
}

Key Screen::wait(Duration limit) {
  const auto begun = std::chrono::steady_clock::now();
  wtimeout(stdscr, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(limit).count()));
  const int code = wgetch(stdscr);
  if (code != ERR) {
    failed_waits_ = 0;
    return key_of(code);
  }
  // Of a terminal that is gone there is an end at once, each time.
  constexpr unsigned often = 20;
  failed_waits_ = std::chrono::steady_clock::now() - begun < limit / 4 ? failed_waits_ + 1 : 0;
  return {failed_waits_ > often ? Key::Kind::gone : Key::Kind::none};
}

}  // namespace graced
