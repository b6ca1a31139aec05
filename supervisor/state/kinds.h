// The kinds of values there are, as writer and reader tell them apart.
#pragma once

#include <concepts>
#include <deque>
#include <map>
#include <optional>
#include <type_traits>
#include <vector>

#include "core/id.h"

namespace graced {

template <class T>
inline constexpr bool is_id = false;
template <class Tag>
inline constexpr bool is_id<Id<Tag>> = true;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
inline constexpr bool is_sequence = false;
template <class T>
inline constexpr bool is_sequence<std::vector<T>> = true;
template <class T>
inline constexpr bool is_sequence<std::deque<T>> = true;

template <class T>
inline constexpr bool is_map = false;
template <class Key, class Value>
inline constexpr bool is_map<std::map<Key, Value>> = true;

template <class T>
concept WholeNumber = std::integral<T> && !std::same_as<T, bool>;

// No kind at all.
template <class T>
inline constexpr bool is_unknown = false;

}  // namespace graced
