#include "workers/outputs.h"

#include <utility>

#include "core/last_words.h"

namespace graced {

void Outputs::drain() const {
  for (WatchedOutput* stream : {out, err}) {
    if (stream) stream->watch.drain(stream);
  }
}

void Outputs::release() {
  for (WatchedOutput* stream : {std::exchange(out, nullptr), std::exchange(err, nullptr)}) {
    if (stream) stream->watch.release(stream);
  }
}

std::vector<std::string> Outputs::last_words() const {
  const auto lines_of = [](const WatchedOutput* s) {
    return s ? s->lines.last_lines() : std::vector<std::string>();
  };
  return graced::last_words(lines_of(out), lines_of(err));
}

}  // namespace graced
