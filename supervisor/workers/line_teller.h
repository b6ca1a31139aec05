// What tells the lines of one stream on: in which form, and whether they are kept.
#pragma once

#include <utility>

#include "core/line_pieces.h"
#include "workers/line_form.h"
#include "workers/output_log.h"

namespace graced {

struct LineTeller {
  explicit LineTeller(LineForm f, OutputLog* keeps_in) : form(std::move(f)), log(keeps_in) {}

  LineForm form;
  OutputLog* log;  // null: they are not kept
  LinePieces pieces{};
};

}  // namespace graced
