#include "core/version.h"

namespace graced {

const char* own_version() {
  return GRACED_VERSION;
}

}  // namespace graced
