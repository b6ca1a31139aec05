#include "daemon/ignored_words.h"

#include <fmt/format.h>

#include <algorithm>

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
    if (!timer_) timer_ = loop_.timer([this] { tell(); });
    timer_.fire_at(monotonic_now() + gathered_for);
  }
  if (told_) return;
  for (const std::string& word : words) {
    // One more than is shown tells that there are others.
    if (words_.size() <= most_words && std::ranges::find(words_, word) == words_.end()) words_.push_back(word);
  }
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
