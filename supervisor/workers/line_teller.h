// What tells the lines of one stream on: in which form, and whether they are kept.
#pragma once

#include <string>
#include <utility>

#include "core/line_pieces.h"
#include "workers/line_form.h"
#include "workers/output_log.h"

namespace graced {

struct LineTeller {
  // What another image of this process takes over.
  struct Kept {
    LineForm::Kind kind = LineForm::Kind::text;
    std::string instance{};
    Speaker speaker{};
    bool keeps = false;
    LinePieces pieces{};
  };
  Kept kept() const { return {form.kind(), form.instance(), form.speaker(), log != nullptr, pieces}; }
  LineTeller(Kept kept, OutputLog& keeps_in)
      : form(kept.kind, kept.instance, kept.speaker),
        log(kept.keeps ? &keeps_in : nullptr),
        pieces(std::move(kept.pieces)) {}

  explicit LineTeller(LineForm f, OutputLog* keeps_in) : form(std::move(f)), log(keeps_in) {}

  LineForm form;
  OutputLog* log;  // null: they are not kept
  LinePieces pieces{};
};

}  // namespace graced
