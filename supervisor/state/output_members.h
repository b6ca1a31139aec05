// What workers have written: what is kept of it, and what is not a whole line yet.
#pragma once

#include <optional>
#include <string>
#include <tuple>

#include "core/kept_output.h"
#include "core/line_buffer.h"
#include "core/line_pieces.h"
#include "core/speaker.h"
#include "state/members.h"

namespace graced {

template <>
struct Members<Speaker> {
  static constexpr std::tuple all{
      Named{"generation", &Speaker::generation},
      Named{"worker", &Speaker::worker},
      Named{"pid", &Speaker::pid},
      Named{"at-stderr", &Speaker::at_stderr},
  };
};

template <>
struct Members<LinePiece> {
  static constexpr std::tuple all{
      Named{"text", &LinePiece::text},
      Named{"continues", &LinePiece::continues},
  };
};

template <>
struct Members<KeptLine> {
  static constexpr std::tuple all{
      Named{"number", &KeptLine::number},
      Named{"at", &KeptLine::at},
      Named{"by", &KeptLine::by},
      Named{"said", &KeptLine::said},
  };
};

template <>
struct Members<KeptOutput::Generation> {
  using Generation = KeptOutput::Generation;
  static constexpr std::tuple all{
      Named{"lines", &Generation::lines},
      NotWritten{&Generation::bytes},
  };
  static void complete(Generation& g);
  static std::optional<std::string> flaw(const Generation& g);
};

template <>
struct Members<KeptOutput> {
  static constexpr std::tuple all{
      Named{"generations", &KeptOutput::kept_},
      Named{"failed", &KeptOutput::failed_},
      Named{"next", &KeptOutput::next_},
  };
  static std::optional<std::string> flaw(const KeptOutput& k);
};

template <>
struct Members<LineBuffer> {
  static constexpr std::tuple all{
      NotWritten{&LineBuffer::longest_},  // each buffer is made with its own
      Named{"unfinished", &LineBuffer::unfinished_},
      Named{"passed-on", &LineBuffer::passed_on_},
      Named{"last", &LineBuffer::last_},
  };
  static void complete(LineBuffer& b);
  static std::optional<std::string> flaw(const LineBuffer& b);
};

template <>
struct Members<LinePieces> {
  static constexpr std::tuple all{
      Named{"within", &LinePieces::within_},
      Named{"held", &LinePieces::held_},
  };
};

}  // namespace graced
