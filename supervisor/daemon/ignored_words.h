// Which words of its workers graced ignores, said once for each generation: who relies on one of them hears of
// it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/id.h"
#include "linux/event/loop.h"

namespace graced {

class IgnoredWords {
 public:
  // words: "FDSTORE=1, WATCHDOG=1".
  using Tell = std::function<void(GenerationId generation, const std::string& words)>;

  IgnoredWords(Loop& loop, Tell tell) : loop_(loop), tell_(std::move(tell)) {}

  // What another image of this process takes over, see linux/upgrade.
  struct Kept {
    GenerationId newest{};
    std::vector<std::string> words{};
    bool told = true;
  };
  Kept kept() const { return {newest_, words_, told_}; }
  void take_over(Kept kept);

  // What a worker of this generation has said in vain, maybe nothing. Told a second after the first, with all
  // that came meanwhile; what an older generation than the last one says is not told any more.
  void heard(GenerationId generation, const std::vector<std::string>& words);

  // Now, if there is something that is to be told.
  void tell();

 private:
  void tell_later();

  Loop& loop_;
  Tell tell_;
  GenerationId newest_{};           // that had some
  std::vector<std::string> words_;  // of it, yet to be told
  bool told_ = true;
  Source timer_;
};

}  // namespace graced
