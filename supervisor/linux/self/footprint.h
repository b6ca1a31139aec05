// How much memory graced takes while it does nothing.
#pragma once

namespace graced {

// Gives back what only the start needed: free heap, and the pages of code and constants that were
// touched since. Those come back from the page cache when they are used again. (A debugger's
// breakpoints set before are forgotten with them.)
void give_back_memory();

}  // namespace graced
