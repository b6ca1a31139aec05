// Whether two things are the same, member by member: those whose members are named (state/members.h), with what
// is not written of them, and plain structs.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <utility>
#include <variant>

#include "state/kinds.h"
#include "state/members.h"

namespace graced {

template <class T>
bool same(const T& a, const T& b);

// Becomes whatever a plain struct has there.
template <class Whole>
struct Anything {
  template <class T>
  requires(!std::same_as<T, Whole>) operator T() const;
};

template <class T, std::size_t... i>
constexpr bool is_made_of(std::index_sequence<i...>) {
  return requires {
    T{(static_cast<void>(i), Anything<T>{})...};
  };
}

template <class T, std::size_t n = 0>
constexpr std::size_t members_of_plain() {
  if constexpr (is_made_of<T>(std::make_index_sequence<n + 1>{})) {
    return members_of_plain<T, n + 1>();
  } else {
    return n;
  }
}

// Compares in lockstep what `a` and `b` are taken apart into.
// clang-format off
template <class T>
bool same_plain(const T& a, const T& b) {
  constexpr std::size_t n = members_of_plain<T>();
  const auto all = [](const auto& x, const auto& y) {
    return [&]<std::size_t... i>(std::index_sequence<i...>) {
      return (same(std::get<i>(x), std::get<i>(y)) && ...);
    }(std::make_index_sequence<std::tuple_size_v<std::remove_cvref_t<decltype(x)>>>{});
  };
  static_assert(n <= 12 || (n >= 29 && n <= 34), "a line for so many members is missing here");
  if constexpr (n == 0) return true;
  if constexpr (n == 1) { const auto& [x0] = a; const auto& [y0] = b; return all(std::tie(x0), std::tie(y0)); }
  if constexpr (n == 2) { const auto& [x0, x1] = a; const auto& [y0, y1] = b; return all(std::tie(x0, x1), std::tie(y0, y1)); }
  if constexpr (n == 3) { const auto& [x0, x1, x2] = a; const auto& [y0, y1, y2] = b; return all(std::tie(x0, x1, x2), std::tie(y0, y1, y2)); }
  if constexpr (n == 4) { const auto& [x0, x1, x2, x3] = a; const auto& [y0, y1, y2, y3] = b; return all(std::tie(x0, x1, x2, x3), std::tie(y0, y1, y2, y3)); }
  if constexpr (n == 5) { const auto& [x0, x1, x2, x3, x4] = a; const auto& [y0, y1, y2, y3, y4] = b; return all(std::tie(x0, x1, x2, x3, x4), std::tie(y0, y1, y2, y3, y4)); }
  if constexpr (n == 6) { const auto& [x0, x1, x2, x3, x4, x5] = a; const auto& [y0, y1, y2, y3, y4, y5] = b; return all(std::tie(x0, x1, x2, x3, x4, x5), std::tie(y0, y1, y2, y3, y4, y5)); }
  if constexpr (n == 7) { const auto& [x0, x1, x2, x3, x4, x5, x6] = a; const auto& [y0, y1, y2, y3, y4, y5, y6] = b; return all(std::tie(x0, x1, x2, x3, x4, x5, x6), std::tie(y0, y1, y2, y3, y4, y5, y6)); }
  if constexpr (n == 8) { const auto& [x0, x1, x2, x3, x4, x5, x6, x7] = a; const auto& [y0, y1, y2, y3, y4, y5, y6, y7] = b; return all(std::tie(x0, x1, x2, x3, x4, x5, x6, x7), std::tie(y0, y1, y2, y3, y4, y5, y6, y7)); }
  if constexpr (n == 9) { const auto& [x0, x1, x2, x3, x4, x5, x6, x7, x8] = a; const auto& [y0, y1, y2, y3, y4, y5, y6, y7, y8] = b; return all(std::tie(x0, x1, x2, x3, x4, x5, x6, x7, x8), std::tie(y0, y1, y2, y3, y4, y5, y6, y7, y8)); }
  if constexpr (n == 10) { const auto& [x0, x1, x2, x3, x4, x5, x6, x7, x8, x9] = a; const auto& [y0, y1, y2, y3, y4, y5, y6, y7, y8, y9] = b; return all(std::tie(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9), std::tie(y0, y1, y2, y3, y4, y5, y6, y7, y8, y9)); }
  if constexpr (n == 11) { const auto& [x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10] = a; const auto& [y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10] = b; return all(std::tie(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10), std::tie(y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10)); }
  if constexpr (n == 12) { const auto& [x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11] = a; const auto& [y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11] = b; return all(std::tie(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11), std::tie(y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11)); }
  if constexpr (n == 29) { const auto& [x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, x16, x17, x18, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28] = a; const auto& [y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, y16, y17, y18, y19, y20, y21, y22, y23, y24, y25, y26, y27, y28] = b; return all(std::tie(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, x16, x17, x18, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28), std::tie(y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, y16, y17, y18, y19, y20, y21, y22, y23, y24, y25, y26, y27, y28)); }
  if constexpr (n == 30) { const auto& [x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, x16, x17, x18, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29] = a; const auto& [y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, y16, y17, y18, y19, y20, y21, y22, y23, y24, y25, y26, y27, y28, y29] = b; return all(std::tie(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, x16, x17, x18, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29), std::tie(y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, y16, y17, y18, y19, y20, y21, y22, y23, y24, y25, y26, y27, y28, y29)); }
  if constexpr (n == 31) { const auto& [x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, x16, x17, x18, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29, x30] = a; const auto& [y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, y16, y17, y18, y19, y20, y21, y22, y23, y24, y25, y26, y27, y28, y29, y30] = b; return all(std::tie(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, x16, x17, x18, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29, x30), std::tie(y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, y16, y17, y18, y19, y20, y21, y22, y23, y24, y25, y26, y27, y28, y29, y30)); }
  if constexpr (n == 32) { const auto& [x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, x16, x17, x18, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29, x30, x31] = a; const auto& [y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, y16, y17, y18, y19, y20, y21, y22, y23, y24, y25, y26, y27, y28, y29, y30, y31] = b; return all(std::tie(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, x16, x17, x18, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29, x30, x31), std::tie(y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, y16, y17, y18, y19, y20, y21, y22, y23, y24, y25, y26, y27, y28, y29, y30, y31)); }
  if constexpr (n == 33) { const auto& [x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, x16, x17, x18, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29, x30, x31, x32] = a; const auto& [y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, y16, y17, y18, y19, y20, y21, y22, y23, y24, y25, y26, y27, y28, y29, y30, y31, y32] = b; return all(std::tie(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, x16, x17, x18, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29, x30, x31, x32), std::tie(y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, y16, y17, y18, y19, y20, y21, y22, y23, y24, y25, y26, y27, y28, y29, y30, y31, y32)); }
  if constexpr (n == 34) { const auto& [x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, x16, x17, x18, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29, x30, x31, x32, x33] = a; const auto& [y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, y16, y17, y18, y19, y20, y21, y22, y23, y24, y25, y26, y27, y28, y29, y30, y31, y32, y33] = b; return all(std::tie(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, x16, x17, x18, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29, x30, x31, x32, x33), std::tie(y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, y16, y17, y18, y19, y20, y21, y22, y23, y24, y25, y26, y27, y28, y29, y30, y31, y32, y33)); }
}
// clang-format on

template <class T>
bool same_described(const T& a, const T& b) {
  bool all = true;
  for_each_member<T>([&](const auto& m) {
    all = all && same(a.*m.at, b.*m.at);
    if constexpr (requires { m.other_word; }) all = all && a.*m.other_word == b.*m.other_word;
  });
  return all;
}

template <class T>
inline constexpr bool is_variant = false;
template <class... T>
inline constexpr bool is_variant<std::variant<T...>> = true;

template <class T>
bool same(const T& a, const T& b) {
  const auto each = [](const auto& x, const auto& y) { return same(x, y); };
  if constexpr (Described<T>) {
    return same_described(a, b);
  } else if constexpr (is_optional<T>) {
    return a.has_value() == b.has_value() && (!a || same(*a, *b));
  } else if constexpr (is_sequence<T>) {
    return std::ranges::equal(a, b, each);
  } else if constexpr (is_map<T>) {
    return std::ranges::equal(
        a, b, [](const auto& x, const auto& y) { return x.first == y.first && same(x.second, y.second); });
  } else if constexpr (is_variant<T>) {
    return a.index() == b.index() &&
           std::visit([&](const auto& x) { return same(x, std::get<std::remove_cvref_t<decltype(x)>>(b)); }, a);
  } else if constexpr (std::equality_comparable<T>) {
    return a == b;
  } else {
    return same_plain(a, b);
  }
}

}  // namespace graced
