#include "daemon/ignored_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace graced {

namespace {

constexpr Duration gathered_for = 1s;
constexpr std::size_t most_words = 8;

}  // namespace

void IgnoredWords::heard(GenerationId generation, const std::vector<std::string>& words) {
  if (words.empty() || generation < newest_) return;
  if (generation > newest_) {
    tell();
    newest_ = generation;
    told_ = false;
    tell_later();
  }
  if (told_) return;
  for (const std::string& word : words) {
    // One more than is shown tells that there are others.
    if (words_.size() <= most_words && std::ranges::find(words_, word) == words_.end()) words_.push_back(word);
  }
}

void IgnoredWords::tell_later() {
  if (!timer_) timer_ = loop_.timer([this] { tell(); });
  timer_.fire_at(monotonic_now() + gathered_for);
}

void IgnoredWords::take_over(Kept kept) {
  newest_ = kept.newest;
  words_ = std::move(kept.words);
  told_ = kept.told;
  if (!told_) tell_later();
}

void IgnoredWords::tell() {
  if (told_) return;
  told_ = true;
  const bool others = words_.size() > most_words;
  if (others) words_.resize(most_words);
  const std::string text = fmt::format("{}{}", fmt::join(words_, ", "), others ? " and others" : "");
  words_ = {};
  tell_(newest_, text);
}

}  // namespace graced
