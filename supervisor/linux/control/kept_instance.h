// The place of an instance, as one image of graced hands it to the next.
#pragma once

#include <string>

#include "linux/control/instance.h"
#include "linux/control/instance_lock.h"
#include "linux/control/runtime_directory.h"

namespace graced {

struct Instance::Kept {
  std::string control_path;
  RuntimeDirectory::Kept directory;
  InstanceLock::Kept lock;
};

}  // namespace graced
