// The last lines of each generation, for whoever asks later: `graced logs`.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/line_pieces.h"
#include "core/members.h"
#include "core/speaker.h"

namespace graced {

struct KeptLine {
  std::uint64_t number = 0;  // of all that were kept, from 1, one after the other
  std::chrono::system_clock::time_point at{};
  Speaker by{};
  LinePiece said{};
};

enum class LogPlace {
  nowhere,  // nothing is kept
  kept,     // by graced
  journal,
};

// One answer to who asks for lines.
struct LogPage {
  LogPlace place = LogPlace::nowhere;
  std::uint64_t next = 0;  // the number to ask for next
  std::vector<KeptLine> lines{};
};

class KeptOutput {
 public:
  static constexpr std::size_t most = 256 * 1024;  // bytes of one generation
  static constexpr std::size_t line_costs = 64;    // bytes besides its text

  // From now on what this generation says is kept; what others say is not.
  void begin(std::uint64_t generation) { kept_.try_emplace(generation); }
  bool keeps(std::uint64_t generation) const { return kept_.contains(generation); }
  bool empty() const { return kept_.empty(); }

  void add(std::chrono::system_clock::time_point at, const Speaker& by, const LinePiece& said);

  // It is kept until another one has failed, though it lives no more.
  void failed(std::uint64_t generation) { failed_ = generation; }

  // All generations that do not live are forgotten, but the last that failed.
  void forget_unless(const std::function<bool(std::uint64_t)>& lives);

  // The number that the next line will have.
  std::uint64_t next() const { return next_; }

  // What is kept from the line of this number on, in order: as many as have `bytes` in all, one at least.
  std::vector<KeptLine> since(std::uint64_t number, std::size_t bytes) const;

 private:
  template <class>
  friend struct Members;

  struct Generation {
    std::deque<KeptLine> lines{};
    std::size_t bytes = 0;  // of all of them, see size_of()
  };

  static std::size_t size_of(const KeptLine& line) { return line.said.text.size() + line_costs; }
  static void shorten(Generation& generation);  // to what is kept of it

  std::map<std::uint64_t, Generation> kept_;
  std::optional<std::uint64_t> failed_;
  std::uint64_t next_ = 1;
};

}  // namespace graced
