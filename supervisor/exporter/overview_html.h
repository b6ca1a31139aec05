// The page of all instances, and what it shares with that of one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "exporter/look.h"

namespace graced {

std::string overview_html(const Look& look);

// Of a name that none has, or has any more.
std::string no_instance_html(std::string_view name, const Look& look);

// The word for what it does, with a class by which it has its colour.
std::string phase_html(const Seen& seen);
std::string unread_text(const Seen& seen);  // why it could not be read
bool needs_a_look(const Seen& seen);        // it does not serve as it should, or was not reloaded

// "12", "3 of 128": a dash where it is not known.
std::string count_html(std::optional<std::uint64_t> count);
std::string queue_html(std::optional<std::uint32_t> waiting, std::optional<std::uint32_t> longest);

std::string looked_html(const Look& look);  // when that was

}  // namespace graced
