// Who this worker is, as graced wrote it into the environment.
#include <charconv>
#include <cstdlib>

#include "graced/child.hpp"

namespace graced::child {
namespace {

template <class Number>
Number number_in(const char* variable) noexcept {
  const char* const text = std::getenv(variable);
  if (text == nullptr) return 0;
  const std::string_view all = text;
  Number number = 0;
  const auto [end, error] = std::from_chars(all.data(), all.data() + all.size(), number);
  return error == std::errc{} && end == all.data() + all.size() ? number : 0;
}

}  // namespace

std::uint64_t generation() noexcept {
  return number_in<std::uint64_t>("GRACED_GENERATION");
}

unsigned worker_number() noexcept {
  return number_in<unsigned>("GRACED_WORKER");
}

std::string name() {
  const char* const text = std::getenv("GRACED_NAME");
  return text == nullptr ? "" : text;
}

}  // namespace graced::child
