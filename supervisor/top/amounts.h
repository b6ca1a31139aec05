// Amounts in few columns.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace graced {

// All of them: "-" where it is not known.
std::string bytes_text(std::optional<std::uint64_t> bytes);  // "512", "1.5K", "23M", "1.2G": powers of 1024
std::string share_text(std::optional<double> share);         // of one processor: "0%", "3.4%", "120%"
std::string count_text(std::optional<std::uint64_t> count);
std::string queue_text(std::optional<std::uint32_t> waiting, std::optional<std::uint32_t> longest);  // "2/128"

}  // namespace graced
