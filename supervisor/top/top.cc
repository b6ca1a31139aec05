#include "top/top.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "top/help_page.h"
#include "top/instance_page.h"
#include "top/overview.h"

namespace graced {
namespace {

constexpr std::size_t around = 3;  // lines on the screen that are no instance: title, headings, foot

std::size_t room_for_rows(std::size_t rows) {
  return rows > around ? rows - around : 1;
}

const Sight* find(const Sights& sights, const std::string& control) {
  const auto at =
      std::ranges::find_if(sights.instances, [&](const Sight& s) { return s.found.control == control; });
  return at == sights.instances.end() ? nullptr : &*at;
}

}  // namespace

Wish Top::wish(std::size_t rows) const {
  if (!opened_.empty()) return {.which = Wish::Which::one, .control = opened_};
  if (sort_ != TopSort::name) return {.which = Wish::Which::all};
  return {.which = Wish::Which::page, .first = first_, .count = room_for_rows(rows)};
}

const Sight* Top::chosen(const Sights& sights) const {
  if (!opened_.empty()) return find(sights, opened_);
  if (const Sight* s = find(sights, chosen_)) return s;
  const auto all = sorted(sights, sort_);
  return all.empty() ? nullptr : all.front();
}

std::vector<Line> Top::lines(const Sights& sights, std::size_t columns, std::size_t rows) {
  std::vector<Line> shown{title(sights)};
  const std::size_t room = rows > 2 ? rows - 2 : 1;
  const std::vector<Line> body =
      helps_ || !opened_.empty() ? page(sights, columns, room) : rows_of_all(sights, columns, room);
  shown.insert(shown.end(), body.begin(),
               body.begin() + static_cast<std::ptrdiff_t>(std::min(room, body.size())));
  shown.resize(1 + room);
  shown.push_back(foot());
  return shown;
}

Line Top::title(const Sights& sights) const {
  Line line;
  line.spans.push_back({"graced top", Paint::bold});
  if (helps_)
    line.spans.push_back({"  help"});
  else if (!opened_.empty())
    line.spans.push_back({"  " + one_cell(find(sights, opened_) ? find(sights, opened_)->name() : opened_)});
  else if (sights.number > 0)
    line.spans.push_back({"  " + summary(sights, sort_)});
  if (!sights.trouble.empty()) line.spans.push_back({"  " + one_cell(sights.trouble), Paint::red});
  return line;
}

Line Top::foot() const {
  if (question_)
    return line_of(fmt::format("{} {}?  y n", question_->kind == Request::Kind::reload ? "reload" : "roll back",
                               question_->name),
                   Paint::bold);
  if (news_) return line_of(news_->text, news_->ok ? Paint::green : Paint::red);
  if (!requests_.empty()) return line_of("asked, and not done yet", Paint::yellow);
  if (helps_) return line_of("Escape back  q quit", Paint::dim);
  if (!opened_.empty()) return line_of("Escape back  r reload  b roll back  ? help  q quit", Paint::dim);
  return line_of("Enter open  r reload  b roll back  s sort  ? help  q quit", Paint::dim);
}

std::vector<Line> Top::page(const Sights& sights, std::size_t columns, std::size_t rows) {
  std::vector<Line> all;
  if (helps_)
    all = help_page(columns);
  else if (const Sight* s = find(sights, opened_))
    all = instance_page(*s, sights.history, columns);
  else if (sights.number > 0)
    all = {line_of("it has ended", Paint::red)};
  scrolled_ = std::min(scrolled_, all.size() > rows ? all.size() - rows : 0);
  all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(scrolled_));
  return all;
}

std::vector<Line> Top::rows_of_all(const Sights& sights, std::size_t columns, std::size_t rows) {
  const auto all = sorted(sights, sort_);
  if (all.empty()) return {line_of(sights.number > 0 ? "no graced is running" : "")};
  const std::size_t room = rows > 1 ? rows - 1 : 1;
  const auto at = static_cast<std::size_t>(std::ranges::find(all, chosen(sights)) - all.begin());
  first_ = std::min(first_, all.size() > room ? all.size() - room : 0);
  if (at < first_) first_ = at;
  if (at >= first_ + room) first_ = at - room + 1;
  const std::vector<const Sight*> visible(
      all.begin() + static_cast<std::ptrdiff_t>(first_),
      all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), first_ + room)));
  std::vector<Line> lines = overview(visible, sort_, columns);
  lines[1 + at - first_].chosen = true;
  return lines;
}

void Top::move(long by, const Sights& sights) {
  const auto moved = [&](std::size_t from, std::size_t count) {
    const long last = static_cast<long>(count) - 1;
    return static_cast<std::size_t>(std::clamp(static_cast<long>(from) + by, 0L, std::max(0L, last)));
  };
  if (helps_ || !opened_.empty()) {
    constexpr std::size_t longest = 100'000;  // lines; the next picture knows how many there are
    scrolled_ = moved(scrolled_, longest);
    return;
  }
  const auto all = sorted(sights, sort_);
  if (all.empty()) return;
  const auto at = static_cast<std::size_t>(std::ranges::find(all, chosen(sights)) - all.begin());
  chosen_ = all[moved(at, all.size())]->found.control;
}

void Top::go_back() {
  scrolled_ = 0;
  if (helps_)
    helps_ = false;
  else if (!opened_.empty())
    chosen_ = std::exchange(opened_, "");
}

void Top::ask(Request::Kind kind, const Sights& sights) {
  const Sight* s = chosen(sights);
  if (s == nullptr || helps_) return;
  question_ = {kind, s->found.control, one_cell(s->name())};
}

void Top::answer(char c) {
  const Question asked = *std::exchange(question_, std::nullopt);
  if (c == 'y' || c == 'Y')
    requests_.push_back(std::make_unique<Request>(asked.kind, asked.control, asked.name));
}

Top::After Top::character(char c, const Sights& sights) {
  constexpr auto count = static_cast<int>(top_sorts.size());
  const auto sort_by = [&](int step) {
    if (helps_ || !opened_.empty()) return;
    sort_ = top_sorts[static_cast<std::size_t>((static_cast<int>(sort_) + step + count) % count)].second;
    first_ = 0;
  };
  switch (c) {
    case 'q':
      return After::quits;
    case '?':
      helps_ = !helps_;
      scrolled_ = 0;
      break;
    case 'j':
      move(1, sights);
      break;
    case 'k':
      move(-1, sights);
      break;
    case 's':
      sort_by(1);
      break;
    case 'S':
      sort_by(-1);
      break;
    case 'r':
      ask(Request::Kind::reload, sights);
      break;
    case 'b':
      ask(Request::Kind::rollback, sights);
      break;
    case ' ':
      return After::looks_again;
    default:
      break;
  }
  return After::goes_on;
}

Top::After Top::press(Key key, const Sights& sights, std::size_t rows) {
  using Kind = Key::Kind;
  if (key.kind == Kind::none) return After::goes_on;
  if (key.kind == Kind::gone) return After::quits;
  if (key.kind == Kind::resized) return After::goes_on;
  if (question_) {
    answer(key.character);
    return After::looks_again;
  }
  news_.reset();
  const long page = static_cast<long>(room_for_rows(rows));
  constexpr long far = 1'000'000;
  switch (key.kind) {
    case Kind::up:
      move(-1, sights);
      break;
    case Kind::down:
      move(1, sights);
      break;
    case Kind::page_up:
      move(-page, sights);
      break;
    case Kind::page_down:
      move(page, sights);
      break;
    case Kind::home:
      move(-far, sights);
      break;
    case Kind::end:
      move(far, sights);
      break;
    case Kind::enter:
      if (const Sight* s = chosen(sights); s != nullptr && opened_.empty() && !helps_) {
        opened_ = s->found.control;
        scrolled_ = 0;
      }
      break;
    case Kind::back:
      go_back();
      break;
    case Kind::character:
      return character(key.character, sights);
    case Kind::none:
    case Kind::resized:
    case Kind::gone:
      break;
  }
  return After::goes_on;
}

bool Top::hear() {
  const auto done = std::ranges::find_if(requests_, [](const auto& r) { return r->outcome().has_value(); });
  if (done == requests_.end()) return false;
  news_ = (*done)->outcome();
  requests_.erase(done);
  return true;
}

}  // namespace graced
