// A type that is to be written down and read again names its members once:
//
//   template <>
//   struct Members<Exit> {
//     static constexpr std::tuple all{Named{"how", &Exit::how}, Named{"status", &Exit::status}, …};
//   };
//
// Writing, reading and comparing follow from that. A member that is not named does not compile: the compiler
// says "only 2 names provided for structured binding, while 'Exit' decomposes into 3 elements".
//
// What another version relies on:
//
// - A name never changes, and is never used again for something else, also when its member is gone.
// - Whoever does not know a member, as it is new, leaves it out. Where that would be wrong it has a need
// (below),
//   which an older version refuses by its word.
// - Whoever does not find a member, as it is new, takes it to be as in a T that was just made. So the default
// of a
//   new member means "as it was before there was such a thing".
//
// Members<T> may have two functions besides, for what was read:
//
//   static void complete(T&);                          what follows from the rest, and is not written
//   static std::optional<std::string> flaw(const T&);  what a T can never be, in a few words: it is refused
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>

#include "core/members.h"

namespace graced {

// With its characters in it: an address would be another one in each process, so that each start would have to
// write all of them anew.
class MemberName {
 public:
  consteval MemberName(const char* name) {  // implicit: at most 31 characters
    for (std::size_t i = 0; name[i] != 0; ++i) text_.at(i) = name[i];
  }
  constexpr operator std::string_view() const { return text_.data(); }

 private:
  std::array<char, 32> text_{};
};

template <class Class, class Value, bool has_need>
struct Named {
  static constexpr std::size_t members = 1;

  MemberName name;
  Value Class::*at;
  // Told where the member is not what it is by default; without one nobody needs to know.
  std::string_view need{};
};
template <class Class, class Value>
Named(MemberName, Value Class::*) -> Named<Class, Value, false>;
template <class Class, class Value>
Named(MemberName, Value Class::*, std::string_view) -> Named<Class, Value, true>;

// A kind whose word may be that of a later version: then it is `other`, and its word is kept and written again.
template <class Class, class Kind>
struct Worded {
  static constexpr std::size_t members = 2;

  MemberName name;
  Kind Class::*at;
  std::string Class::*other_word;
};
template <class Class, class Kind>
Worded(MemberName, Kind Class::*, std::string Class::*) -> Worded<Class, Kind>;

// It is not written: it lives within one event only, follows from the rest, or is given by whoever makes the
// object. What is read leaves it as it is.
template <class Class, class Value>
struct NotWritten {
  static constexpr std::size_t members = 1;

  Value Class::*at;
};
template <class Class, class Value>
NotWritten(Value Class::*) -> NotWritten<Class, Value>;

// The number of a descriptor that whoever is made of this owns, and nobody else: an int, or several. Its name
// is the place where it stands.
template <class Class, class Value>
struct Carried {
  static constexpr std::size_t members = 1;

  MemberName name;
  Value Class::*at;
};
template <class Class, class Value>
Carried(MemberName, Value Class::*) -> Carried<Class, Value>;

// The number of one that somebody else in the same state owns.
template <class Class, class Value>
struct Borrowed {
  static constexpr std::size_t members = 1;

  MemberName name;
  Value Class::*at;
};
template <class Class, class Value>
Borrowed(MemberName, Value Class::*) -> Borrowed<Class, Value>;

template <class T>
concept Described = requires {
  Members<T>::all;
};

// For those below: Members may see what a class keeps to itself.
template <class T>
struct WithinMembers;

template <class T>
struct Members<WithinMembers<T>> {
  static T made() { return T{}; }

  // Compiles for as many members as T has.
  // clang-format off
  template <std::size_t n>
  static constexpr bool has(const T& t) {
    static_assert(n >= 1 && n <= 32, "a line for so many members is missing here");
    if constexpr (n == 1) { [[maybe_unused]] const auto& [a] = t; }
    if constexpr (n == 2) { [[maybe_unused]] const auto& [a, b] = t; }
    if constexpr (n == 3) { [[maybe_unused]] const auto& [a, b, c] = t; }
    if constexpr (n == 4) { [[maybe_unused]] const auto& [a, b, c, d] = t; }
    if constexpr (n == 5) { [[maybe_unused]] const auto& [a, b, c, d, e] = t; }
    if constexpr (n == 6) { [[maybe_unused]] const auto& [a, b, c, d, e, f] = t; }
    if constexpr (n == 7) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g] = t; }
    if constexpr (n == 8) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h] = t; }
    if constexpr (n == 9) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i] = t; }
    if constexpr (n == 10) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j] = t; }
    if constexpr (n == 11) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k] = t; }
    if constexpr (n == 12) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l] = t; }
    if constexpr (n == 13) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = t; }
    if constexpr (n == 14) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o] = t; }
    if constexpr (n == 15) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p] = t; }
    if constexpr (n == 16) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q] = t; }
    if constexpr (n == 17) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r] = t; }
    if constexpr (n == 18) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s] = t; }
    if constexpr (n == 19) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s, u] = t; }
    if constexpr (n == 20) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s, u, v] = t; }
    if constexpr (n == 21) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s, u, v, w] = t; }
    if constexpr (n == 22) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s, u, v, w, x] = t; }
    if constexpr (n == 23) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s, u, v, w, x, y] = t; }
    if constexpr (n == 24) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s, u, v, w, x, y, z] = t; }
    if constexpr (n == 25) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s, u, v, w, x, y, z, a2] = t; }
    if constexpr (n == 26) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s, u, v, w, x, y, z, a2, b2] = t; }
    if constexpr (n == 27) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s, u, v, w, x, y, z, a2, b2, c2] = t; }
    if constexpr (n == 28) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s, u, v, w, x, y, z, a2, b2, c2, d2] = t; }
    if constexpr (n == 29) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s, u, v, w, x, y, z, a2, b2, c2, d2, e2] = t; }
    if constexpr (n == 30) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s, u, v, w, x, y, z, a2, b2, c2, d2, e2, f2] = t; }
    if constexpr (n == 31) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s, u, v, w, x, y, z, a2, b2, c2, d2, e2, f2, g2] = t; }
    if constexpr (n == 32) { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r, s, u, v, w, x, y, z, a2, b2, c2, d2, e2, f2, g2, h2] = t; }
    return true;
  }
  // clang-format on
};

// A T without a value, as each class that is described can be made.
template <class T>
T made() {
  return Members<WithinMembers<T>>::made();
}

template <class T>
consteval bool names_differ() {
  std::array<std::string_view, std::tuple_size_v<decltype(Members<T>::all)>> names;
  std::size_t n = 0;
  const auto add = [&](const auto& m) {
    if constexpr (requires { m.name; }) names[n++] = m.name;
  };
  std::apply([&](const auto&... m) { (add(m), ...); }, Members<T>::all);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t other = 0; other < i; ++other) {
      if (names[i] == names[other]) return false;
    }
  }
  return true;
}

// Calls each(description) for every member of T, in order.
template <class T, class Each>
constexpr void for_each_member(Each each) {
  static_assert(names_differ<T>(), "two members have one name");
  using Within = Members<WithinMembers<T>>;
  std::apply(
      [&](const auto&... m) {
        [[maybe_unused]] constexpr auto all_are_named =
            &Within::template has<(std::remove_cvref_t<decltype(m)>::members + ...)>;
        (each(m), ...);
      },
      Members<T>::all);
}

}  // namespace graced
