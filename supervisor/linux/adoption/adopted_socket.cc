#include "linux/adoption/adopted_socket.h"

#include <algorithm>

#include "core/made_anew.h"
#include "core/printable.h"
#include "linux/adoption/adopted_names.h"
#include "linux/proc/process.h"

namespace graced {

bool made_anew(const AdoptedSocket& one, const AdoptedSocket& other) {
  if (one.pattern.empty() || other.pattern.empty()) return false;
  return one.pattern == other.pattern || differ_at_random(one.pattern, other.pattern);
}

void called_by_its_name(AdoptedSocket& socket) {
  socket.key = "unix " + socket.name->text;
  socket.address = "unix " + printable(socket.name->text);
  const bool has_numbers = std::ranges::any_of(socket.key, [](char c) { return c >= '0' && c <= '9'; });
  socket.pattern = has_numbers ? without_pids(socket.key, numbers_of(socket.holder.thread)) : socket.key;
}

}  // namespace graced
