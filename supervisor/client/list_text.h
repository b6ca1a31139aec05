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

// Since it serves: since its reload, else, without one, since graced runs. Where nobody is left who served
// before a worker ended, as long as its oldest worker lives. Where another reload has failed since, as long as
// its oldest worker lives, which may be less. None: nobody serves, or has a worker now.
std::optional<Duration> age_of_serving(const InstanceReport&);

std::string workers_of(const InstanceReport&);   // "2", "1/2" where they are too few, "-" where nobody serves
std::string draining_of(const InstanceReport&);  // "3"; empty where none drains

// What came last of these: a reload, a worker that ended by itself, another generation in the place of one
// whose probe failed. "exit 3, 5s ago", "reload failed 2min ago", "rolled back 2min ago"; "-" where nothing
// did.
Cell last_of(const InstanceReport&);

// Why, where that is bad, with the last line that was said: of a worker that ended by itself while it is
// missed, and ten minutes longer; else of the last reload, if it failed. One line, may be empty.
std::string trouble_of(const InstanceReport&);

}  // namespace graced
