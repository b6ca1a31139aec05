// One pass over the text, as systemd makes it.
#include "options/env_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "options/one_line.h"
#include "options/options.h"

namespace graced {

namespace {

constexpr std::string_view blanks = " \t\r";

std::string_view without_blanks_at_end(std::string_view text) {
  const auto last = text.find_last_not_of(blanks);
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

bool is_variable_name(std::string_view name) {
  return !name.empty() && std::ranges::none_of(name, [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == 0x7f || c == '"' || c == '\'' || c == '=';
  });
}

// Reads one character after the other and always knows the line it is in.
class EnvFile {
 public:
  EnvFile(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  std::vector<std::string> parse() {
    std::vector<std::string> wrong;
    while (!text_.empty()) {
      try {
        line();
      } catch (const UsageError& why) {
        wrong.push_back(why.what());
        text_.remove_prefix(std::min(text_.find('\n'), text_.size()));
      }
    }
    if (!wrong.empty()) throw UsageError{std::move(wrong)};
    return std::move(variables_);
  }

 private:
  template <class... Args>
  [[noreturn]] void fail(unsigned line, fmt::format_string<Args...> what, Args&&... args) const {
    throw UsageError{fmt::format("{}:{}: {}", path_, line, fmt::format(what, std::forward<Args>(args)...))};
  }

  char next() {
    const char c = text_.front();
    text_.remove_prefix(1);
    if (c == '\n') ++line_;
    return c;
  }

  bool at(std::string_view characters) const {
    return !text_.empty() && characters.find(text_.front()) != std::string_view::npos;
  }

  void line() {
    while (at(blanks)) next();
    if (at("#;")) {
      while (!text_.empty() && !at("\n")) next();
    }
    if (text_.empty() || at("\n")) {
      if (!text_.empty()) next();
      return;
    }

    const auto end = text_.substr(0, text_.find('\n'));
    const auto equals = end.find('=');
    if (equals == std::string_view::npos) {
      fail(line_, "'{}' is no NAME=VALUE", one_line(without_blanks_at_end(end)));
    }
    const auto name = without_blanks_at_end(end.substr(0, equals));
    if (name.starts_with("export ")) fail(line_, "leave out 'export': this is no shell script");
    if (!is_variable_name(name)) fail(line_, "'{}' is no variable's name", one_line(name));
    text_.remove_prefix(equals + 1);
    variables_.push_back(fmt::format("{}={}", name, value()));
  }

  // Quoted pieces may only open a value; once plain text has begun a quote is a letter like any other.
  std::string value() {
    std::string value;
    for (;;) {
      while (at(blanks)) next();
      if (at("'")) {
        single_quoted(value);
      } else if (at("\"")) {
        double_quoted(value);
      } else {
        plain(value);
        return value;
      }
    }
  }

  void single_quoted(std::string& value) {
    const auto opened = line_;
    next();
    while (!at("'")) {
      if (text_.empty()) fail(opened, "a single quote (') is never closed");
      value += next();
    }
    next();
  }

  void double_quoted(std::string& value) {
    const auto opened = line_;
    next();
    while (!at("\"")) {
      if (text_.empty()) fail(opened, "a double quote (\") is never closed");
      const char c = next();
      if (c == '\\' && at("\"\\`$")) {
        value += next();
      } else if (c == '\\' && at("\n")) {
        next();
      } else {
        value += c;
      }
    }
    next();
  }

  // To the end of the line, which it takes too. Blanks at the end do not belong to it unless escaped.
  void plain(std::string& value) {
    auto kept = value.size();
    while (!text_.empty()) {
      const char c = next();
      if (c == '\n') break;
      if (c == '\\') {
        if (text_.empty()) break;
        const char escaped = next();
        if (escaped != '\n') value += escaped;
        kept = value.size();
        continue;
      }
      value += c;
      if (blanks.find(c) == std::string_view::npos) kept = value.size();
    }
    value.resize(kept);
  }

  std::string_view text_;
  const std::string& path_;
  unsigned line_ = 1;
  std::vector<std::string> variables_;
};

}  // namespace

void check_assignment(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) throw std::invalid_argument{"no NAME=VALUE"};
  const auto name = text.substr(0, equals);
  if (!is_variable_name(name)) throw std::invalid_argument{fmt::format("'{}' is no variable's name", name)};
}

std::vector<std::string> parse_env_file(std::string_view text, const std::string& path) {
  return EnvFile{text, path}.parse();
}

std::vector<std::string> read_env_file(const std::string& path, const ReadText& read) {
  const bool may_be_missing = path.starts_with('-');
  const auto real_path = path.substr(may_be_missing ? 1 : 0);
  try {
    return parse_env_file(read(real_path), real_path);
  } catch (const std::system_error& why) {
    if (may_be_missing && why.code() == std::errc::no_such_file_or_directory) return {};
    throw;
  }
}

}  // namespace graced
