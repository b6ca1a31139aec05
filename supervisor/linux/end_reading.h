// Ends the reading side of another process's connection.
#pragma once

#include "linux/fd.h"

namespace graced {

// SHUT_RD: its reader finds the end after what has come so far. Takes our duplicate and closes it in the
// same breath. False if the connection was over already.
bool end_reading(Fd duplicate);

}  // namespace graced
