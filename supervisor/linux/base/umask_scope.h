// The mode of what is created is the one asked for, whatever umask graced was started with.
#pragma once

#include <sys/stat.h>

namespace graced {

class UmaskScope {
 public:
  explicit UmaskScope(mode_t mask) : before_(::umask(mask)) {}
  UmaskScope(const UmaskScope&) = delete;
  UmaskScope& operator=(const UmaskScope&) = delete;
  ~UmaskScope() { ::umask(before_); }

 private:
  mode_t before_;
};

}  // namespace graced
