// The values options take, read from text and written as text. What a reader cannot read it refuses
// with std::invalid_argument: one line about the value, which the caller puts the option before.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "options/options.h"

namespace graced {

unsigned read_count(std::string_view text, unsigned min, unsigned max);
std::uint64_t read_size(std::string_view text);  // "64M": bytes, above 0
Duration read_time(std::string_view text);
Duration read_finite_time(std::string_view text);
std::string read_name(std::string_view text);  // of an instance
std::string read_path(std::string_view text);
std::string read_text(std::string_view text);  // anything but nothing
std::vector<std::string> read_command(std::string_view text);
unsigned read_umask(std::string_view text);

// "TERM", "SIGTERM", "term", "15", "RTMIN+3".
int read_signal(std::string_view text);
std::string signal_name(int number);

unsigned read_workers(std::string_view text);

// "4", "25%", "all".
MaxSurge read_max_surge(std::string_view text);
std::string to_text(const MaxSurge& surge);  // "all" likewise
void read_probe(std::string_view text, RunOptions& options);
void read_start_limit(std::string_view text, Policy& policy);

}  // namespace graced
