// How lines of the log say which worker they are about.
#pragma once

#include "daemon/log.h"
#include "workers/worker_process.h"

namespace graced {

inline LogFields about(const WorkerProcess& worker) {
  return {.generation = worker.generation.value, .worker = worker.slot, .worker_pid = worker.pid};
}

}  // namespace graced
