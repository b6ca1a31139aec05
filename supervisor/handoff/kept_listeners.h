// The listeners of an instance by number, as one image of graced hands them to the next: several know each of
// them, and it is carried once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "core/id.h"
#include "linux/sockets/listener.h"

namespace graced {

// What the workers of each generation are passed.
using Passed = std::map<GenerationId, std::vector<std::shared_ptr<Listener>>>;
using KeptPassed = std::map<GenerationId, std::vector<unsigned>>;

// Of the image before.
class ListenerNumbers {
 public:
  // Its number, which it gets when it is asked for first.
  unsigned of(const std::shared_ptr<Listener>& listener) {
    const auto at = std::ranges::find(listeners_, listener) - listeners_.begin();
    if (at == std::ssize(listeners_)) listeners_.push_back(listener);
    return static_cast<unsigned>(at);
  }

  KeptPassed of(const Passed& passed) {
    KeptPassed kept;
    for (const auto& [generation, listeners] : passed) {
      std::vector<unsigned>& numbers = kept[generation];
      for (const auto& l : listeners) numbers.push_back(of(l));
    }
    return kept;
  }

  std::vector<Listener::Kept> kept() const {
    std::vector<Listener::Kept> all;
    for (const auto& l : listeners_) all.push_back(l->kept());
    return all;
  }

 private:
  std::vector<std::shared_ptr<Listener>> listeners_;
};

// Of the image after.
class TakenListeners {
 public:
  TakenListeners() = default;
  explicit TakenListeners(std::vector<Listener::Kept> kept) {
    for (Listener::Kept& k : kept) listeners_.push_back(std::make_shared<Listener>(std::move(k)));
  }

  // Throws std::runtime_error: there is no such number.
  const std::shared_ptr<Listener>& at(std::size_t number) const {
    if (number >= listeners_.size()) throw std::runtime_error("the state names a socket that it does not have");
    return listeners_[number];
  }

  // Likewise.
  Passed at(const KeptPassed& kept) const {
    Passed passed;
    for (const auto& [generation, numbers] : kept) {
      auto& listeners = passed[generation];
      for (const unsigned number : numbers) listeners.push_back(at(number));
    }
    return passed;
  }

  bool any_unused() const {
    return std::ranges::any_of(listeners_, [](const auto& l) { return l.use_count() == 1; });
  }

 private:
  std::vector<std::shared_ptr<Listener>> listeners_;
};

}  // namespace graced
