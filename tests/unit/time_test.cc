// TIME, read and written.
#include "core/time.h"

#include <doctest/doctest.h>

using namespace graced;

TEST_CASE("a time is a number and its unit") {
  CHECK(parse_duration("250ms") == 250ms);
  CHECK(parse_duration("5s") == 5s);
  CHECK(parse_duration("5sec") == 5s);
  CHECK(parse_duration("2min") == 2min);
  CHECK(parse_duration("2m") == 2min);
  CHECK(parse_duration("1h") == 1h);
  CHECK(parse_duration("1hr") == 1h);
  CHECK(parse_duration("1d") == 24h);
  CHECK(parse_duration("7us") == 7us);
  CHECK(parse_duration("7ns") == 7ns);
  CHECK(parse_duration("0") == 0s);
}

TEST_CASE("a bare number is seconds") {
  CHECK(parse_duration("90") == 90s);
  CHECK(parse_duration("0.25") == 250ms);
}

TEST_CASE("times add up, with or without blanks") {
  CHECK(parse_duration("1min 30s") == 90s);
  CHECK(parse_duration("1min30s") == 90s);
  CHECK(parse_duration("  2 h  5 min ") == 125min);
  CHECK(parse_duration("1.5h") == 90min);
}

TEST_CASE("infinity stands alone") {
  CHECK(parse_duration("infinity") == infinity);
  CHECK_FALSE(parse_duration("infinity 1s"));
  CHECK_FALSE(parse_duration("1s infinity"));
}

TEST_CASE("what is no time is not taken for one") {
  for (const char* text : {"", " ", "s", "-1s", "+1s", "1.s", ".5s", "1 30", "5min 20", "1x", "1 S", "1,5s",
                           "1e3", "0x10", "5s!", "1mins"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text));
  }
}

TEST_CASE("a time too long to count is refused instead of wrapping around") {
  CHECK(parse_duration("9223372036854775806ns") == infinity - 1ns);
  CHECK_FALSE(parse_duration("9223372036854775807ns"));
  CHECK_FALSE(parse_duration("99999999999999999999s"));
  CHECK_FALSE(parse_duration("200000d"));
  CHECK_FALSE(parse_duration("100000d 100000d"));
}

TEST_CASE("a time is written in the shortest form, which is read back as the same") {
  CHECK(to_text(90s) == "1min 30s");
  CHECK(to_text(250ms) == "250ms");
  CHECK(to_text(60s) == "1min");
  CHECK(to_text(25h) == "1d 1h");
  CHECK(to_text(0s) == "0s");
  CHECK(to_text(infinity) == "infinity");
  for (const Duration d :
       {Duration{1}, Duration{999}, Duration{1'500'000'001}, Duration{infinity - 1ns}, Duration{49h + 1us}}) {
    CAPTURE(to_text(d));
    CHECK(parse_duration(to_text(d)) == d);
  }
}

TEST_CASE("for people two units are enough, rounded down") {
  CHECK(to_rough_text(3h + 12min + 59s) == "3h 12min");
  CHECK(to_rough_text(2h + 5s) == "2h");
  CHECK(to_rough_text(50h) == "2d 2h");
  CHECK(to_rough_text(61s) == "1min 1s");
  CHECK(to_rough_text(59'999ms) == "59s");
  CHECK(to_rough_text(1'290ms) == "1.2s");
  CHECK(to_rough_text(1s) == "1s");
  CHECK(to_rough_text(9'999ms) == "9.9s");
  CHECK(to_rough_text(85'900us) == "85ms");
  CHECK(to_rough_text(400us) == "400us");
  CHECK(to_rough_text(5ns) == "5ns");
  CHECK(to_rough_text(0s) == "0s");
  CHECK(to_rough_text(-5s) == "0s");
  CHECK(to_rough_text(infinity) == "infinity");
}

TEST_CASE("an instant an infinite time away has no deadline") {
  const Instant now{5s};
  CHECK(after(now, 3s) == Instant{8s});
  CHECK(after(now, infinity) == no_deadline);
  CHECK(after(now, infinity - 1s) == no_deadline);
}
