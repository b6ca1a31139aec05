#include "top/request.h"

#include <fmt/format.h>

#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "client/page.h"
#include "linux/control/control_client.h"

namespace graced {
namespace {

Request::Outcome carry_out(Request::Kind kind, const std::string& control, const std::string& name) {
  const bool reload = kind == Request::Kind::reload;
  const char* const verb = reload ? "reload" : "rollback";
  try {
    ControlClient client(control);
    const ControlReply reply = reload ? client.reload(infinity) : client.rollback();
    switch (reply.outcome) {
      case ControlOutcome::ok:
        if (reload) return {true, fmt::format("{}: generation {} serves", name, reply.generation)};
        return {true, fmt::format("{}: generation {} rolled back, generation {} serves again", name, reply.from,
                                  reply.generation)};
      case ControlOutcome::denied:
        return {false, fmt::format("{}: {} refused: only root and its own user may", name, verb)};
      case ControlOutcome::gone:
        return {false, fmt::format("{} ended before the {} did", name, verb)};
      case ControlOutcome::failed:
      case ControlOutcome::timed_out:
        break;
    }
    return {false, fmt::format("{}: {} failed: {}", name, verb, one_cell(without_last_words(reply.why)))};
  } catch (const std::exception& e) {
    return {false, fmt::format("{}: {} failed: {}", name, verb, one_cell(e.what()))};
  }
}

}  // namespace

struct Request::Shared {
  std::mutex mutex;
  std::optional<Outcome> outcome;
};

Request::Request(Kind kind, std::string control, std::string name)
    : control_(std::move(control)), shared_(std::make_shared<Shared>()) {
  std::thread([kind, control = control_, name = std::move(name), shared = shared_] {
    Outcome outcome = carry_out(kind, control, name);
    const std::lock_guard lock(shared->mutex);
    shared->outcome = std::move(outcome);
  }).detach();
}

std::optional<Request::Outcome> Request::outcome() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->outcome;
}

}  // namespace graced
