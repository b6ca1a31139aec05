#include "exporter/time_line_html.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/timestamp.h"
#include "exporter/html.h"
#include "exporter/time_axis.h"

namespace graced {
namespace {

using Clock = std::chrono::system_clock;

constexpr double room_for_a_word = 16;    // of 100
constexpr double room_for_a_clock = 22;   // of 100
constexpr std::size_t clock_begins = 11;  // in a timestamp
constexpr std::size_t clock_length = 8;
constexpr std::size_t month_begins = 5;
constexpr std::size_t month_and_day = 5;

std::string_view word_of(Mark::Kind kind) {
  switch (kind) {
    case Mark::Kind::failed:
      return "failed";
    case Mark::Kind::rolled_back:
      return "rolled back";
    case Mark::Kind::crashed:
      return "a worker crashed";
    case Mark::Kind::killed:
      return "killed";
    case Mark::Kind::gone:
      return "gone";
  }
  return "";
}

std::string_view class_of(Mark::Kind kind) {
  switch (kind) {
    case Mark::Kind::gone:
      return "gone";
    case Mark::Kind::crashed:
      return "crashed";
    case Mark::Kind::rolled_back:
      return "rolled-back";
    case Mark::Kind::failed:
    case Mark::Kind::killed:
      return "failed";
  }
  return "";
}

// The path of an SVG, around (0, 13).
std::string_view shape_of(Mark::Kind kind) {
  switch (kind) {
    case Mark::Kind::gone:
      return "M0 1V25";
    case Mark::Kind::crashed:
      return "M0 2L5 13L0 24L-5 13Z";
    case Mark::Kind::rolled_back:  // an arrow back to the one before
      return "M0 22V10H-11M-6 5L-11 10L-6 15";
    case Mark::Kind::failed:
    case Mark::Kind::killed:
      return "M-6 7L6 19M-6 19L6 7";
  }
  return "";
}

// With its day where that is not the day of `today`.
std::string clock_text(Clock::time_point at, Clock::time_point today) {
  const std::string text = to_timestamp(at);
  const bool other_day = text.substr(0, clock_begins) != to_timestamp(today).substr(0, clock_begins);
  const std::string clock = text.substr(clock_begins, clock_length);
  return other_day ? fmt::format("{} {}", text.substr(month_begins, month_and_day), clock.substr(0, 5)) : clock;
}

class Drawing {
 public:
  Drawing(const TimeLine& line, Clock::time_point at) : line_(line), at_(at), axis_(moments(line)) {}

  std::string html() const;

 private:
  static std::vector<Instant> moments(const TimeLine& line);
  std::string clock(Instant moment) const { return clock_text(wall(moment), at_); }
  Clock::time_point wall(Instant moment) const {
    return at_ + std::chrono::duration_cast<Clock::duration>(moment - line_.now);
  }
  std::string sentence(const Band& band) const;
  std::string sentence(const Mark& mark) const;
  std::string row_html(const GenerationRow& row) const;
  std::string axis_html() const;

  const TimeLine& line_;
  Clock::time_point at_;
  TimeAxis axis_;
};

std::vector<Instant> Drawing::moments(const TimeLine& line) {
  std::vector<Instant> all{line.now};
  for (const GenerationRow& row : line.rows) {
    for (const Band& b : row.bands) all.insert(all.end(), {b.from, b.to});
    for (const Mark& m : row.marks) all.push_back(m.at);
  }
  return all;
}

// "serving from 12:30:05, for 3h 12min"
std::string Drawing::sentence(const Band& b) const {
  return fmt::format("{} from {} {}, {}{}", to_text(b.state), clock(b.from),
                     b.goes_on ? "on" : "to " + clock(b.to), b.goes_on ? "for " : "",
                     to_rough_text(b.to - b.from));
}

std::string Drawing::sentence(const Mark& m) const {
  return fmt::format("{} at {}{}{}", word_of(m.kind), clock(m.at), m.what.empty() ? "" : ": ", m.what);
}

std::string Drawing::row_html(const GenerationRow& row) const {
  std::string drawn;
  std::string told;
  std::string_view last;
  bool ended = false;
  const auto out = std::back_inserter(drawn);
  const auto tell = [&](const std::string& sentence) { told += (told.empty() ? "" : "; ") + sentence; };
  for (const Band& b : row.bands) {
    const double from = axis_.at(b.from);
    const double width = axis_.at(b.to) - from;
    const std::string said = sentence(b);
    tell(said);
    last = to_text(b.state);
    fmt::format_to(
        out,
        "<rect class=\"{}\" x=\"{:.2f}%\" y=\"3\" width=\"{:.2f}%\" height=\"20\"><title>{}</title></rect>\n",
        to_text(b.state), from, width, html_text(said));
    if (width >= room_for_a_word)
      fmt::format_to(out, "<text x=\"{:.2f}%\" y=\"17\">{}</text>\n", from + width / 2, to_text(b.state));
  }
  for (const Mark& m : row.marks) {
    const std::string said = sentence(m);
    tell(said);
    // One whose worker crashed goes on, unless nobody serves since.
    const bool goes_on = m.kind == Mark::Kind::crashed && (row.bands.empty() || m.at < row.bands.back().to);
    if (m.kind == Mark::Kind::gone ? !ended : !goes_on) last = word_of(m.kind);
    ended = ended || m.kind != Mark::Kind::crashed;
    fmt::format_to(out,
                   "<svg x=\"{0:.2f}%\" class=\"mark {1}\"><title>{2}</title><path class=\"edge\" "
                   "d=\"{3}\"/><path d=\"{3}\"/></svg>\n",
                   axis_.at(m.at), class_of(m.kind), html_text(said), shape_of(m.kind));
  }
  if (std::ranges::any_of(row.bands, &Band::goes_on)) {
    const auto now = std::ranges::find_if(row.bands, &Band::goes_on);
    last = to_text(now->state);
  }
  return fmt::format(
      "<div class=\"row\"><span class=\"label\"><b>{0}</b> {1}</span>\n"
      "<svg class=\"bands\" role=\"img\" aria-label=\"generation {0}: {2}\">\n{3}</svg></div>\n",
      row.generation, last, html_text(told), drawn);
}

std::string Drawing::axis_html() const {
  std::string text =
      "<div class=\"row axis\"><span class=\"label\"></span><svg class=\"bands\" aria-hidden=\"true\">\n";
  const std::vector<Instant> labels = axis_.labels(room_for_a_clock);
  std::string before;
  for (const Instant moment : labels) {
    const double place = axis_.at(moment);
    const std::string told = moment == line_.now ? "now" : clock(moment);
    if (std::exchange(before, told) == told) continue;  // within one second
    text += fmt::format(
        "<line x1=\"{0:.2f}%\" x2=\"{0:.2f}%\" y1=\"0\" y2=\"5\"/><text x=\"{0:.2f}%\" y=\"18\" class=\"{1}\""
        " data-time=\"{2}\">{3}</text>\n",
        place,
        place < 1    ? "first"
        : place > 99 ? "last"
                     : "",
        to_timestamp(wall(moment)), told);
  }
  return text + "</svg></div>\n";
}

std::string Drawing::html() const {
  std::string text = "<section class=\"line\">\n<h2>Generations</h2>\n";
  for (const GenerationRow& row : line_.rows) text += row_html(row);
  text += axis_html() + "<p class=\"legend\">";
  for (const GenerationState s :
       {GenerationState::start, GenerationState::ready, GenerationState::canary, GenerationState::serving,
        GenerationState::standby, GenerationState::draining})
    text += fmt::format("<span class=\"key {0}\">{0}</span> ", to_text(s));
  return text +
         "<span class=\"key failed\">failed, killed</span> <span class=\"key rolled-back\">rolled back</span> "
         "<span class=\"key crashed\">crash</span> <span class=\"key gone\">gone</span> "
         "<span class=\"note\">Longer times are drawn shorter than they are. What nobody knows is not "
         "drawn.</span></p>\n</section>\n";
}

}  // namespace

std::string time_line_html(const TimeLine& line, Clock::time_point at) {
  return line.rows.empty() ? "" : Drawing{line, at}.html();
}

std::string clock_html(Clock::time_point at) {
  std::string shown = to_timestamp(at).substr(0, clock_begins + clock_length);
  shown[clock_begins - 1] = ' ';
  return fmt::format("<time datetime=\"{}\">{} UTC</time>", to_timestamp(at), shown);
}

}  // namespace graced
