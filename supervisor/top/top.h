// What is on the screen, and what keys do to it.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "options/top_sort.h"
#include "top/line.h"
#include "top/request.h"
#include "top/screen.h"
#include "top/sight.h"

namespace graced {

class Top {
 public:
  // opened: the control socket of the instance that is opened first; empty: none is.
  Top(TopSort sort, std::string opened) : sort_(sort), opened_(std::move(opened)) {}

  // All of these are for a screen of that size; `sights` are the last ones.
  Wish wish(std::size_t rows) const;
  std::vector<Line> lines(const Sights& sights, std::size_t columns, std::size_t rows);

  enum class After { goes_on, looks_again, quits };
  After press(Key key, const Sights& sights, std::size_t rows);

  // True: there is news of what was asked for.
  bool hear();

 private:
  struct Question {
    Request::Kind kind;
    std::string control;
    std::string name;
  };

  std::vector<Line> page(const Sights& sights, std::size_t columns, std::size_t rows);
  std::vector<Line> rows_of_all(const Sights& sights, std::size_t columns, std::size_t rows);
  Line title(const Sights& sights) const;
  Line foot() const;
  After character(char c, const Sights& sights);
  void answer(char c);
  void ask(Request::Kind kind, const Sights& sights);
  void move(long by, const Sights& sights);
  const Sight* chosen(const Sights& sights) const;
  void go_back();

  TopSort sort_;
  std::string opened_;        // control socket; empty: all are shown
  std::string chosen_;        // control socket of the row; empty: the first
  std::size_t first_ = 0;     // row on the screen
  std::size_t scrolled_ = 0;  // lines, of a page
  bool helps_ = false;
  std::optional<Question> question_;
  std::vector<std::unique_ptr<Request>> requests_;
  std::optional<Request::Outcome> news_;  // of the last one
};

}  // namespace graced
