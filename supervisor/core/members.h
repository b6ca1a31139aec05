// What lives from one event to the next can be written down and read again: each member of it is named in one
// place, and that is not here. A class that keeps its members to itself says `template <class> friend struct
// Members;` for that, and may be made without a value.
#pragma once

namespace graced {

// Specialised for each type whose members are named; see state/members.h.
template <class T>
struct Members;

}  // namespace graced
