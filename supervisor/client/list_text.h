// What `graced list` shows to people.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "client/page.h"
#include "core/time.h"
#include "linux/control/control_report.h"

namespace graced {

// One line per instance under a heading; empty without instances. colour: for a terminal that wants it.
// columns: of the terminal, 0: any number. Where they do not suffice, what is needed least is shortened or left
// out; the names never are.
std::string list_text(const std::vector<InstanceReport>&, bool colour, std::size_t columns = 0);

// Cells of the list, for others that show the same.

// Since it serves: since its reload, else, without one, since graced runs. Where another reload has failed
// since, as long as its oldest worker lives, which may be less. None: nobody serves.
std::optional<Duration> age_of_serving(const InstanceReport&);

std::string workers_of(const InstanceReport&);   // "2", "1/2" where they are too few, "-" where nobody serves
std::string draining_of(const InstanceReport&);  // "3"; empty where none drains
Cell last_reload_of(const InstanceReport&);

// What is wrong with it, or was with its last reload; one line, may be empty.
std::string trouble_of(const InstanceReport&);

}  // namespace graced
