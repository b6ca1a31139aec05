#include "hooks/event_json.h"

#include <nlohmann/json.hpp>

#include "core/timestamp.h"

namespace graced {

namespace {

using Json = nlohmann::ordered_json;

template <class Value>
Json or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json(nullptr);
}

}  // namespace

std::string to_json(const InstanceEvent& event) {
  Json object;
  object["schema"] = 1;
  object["event"] = to_text(event.kind);
  object["time"] = to_timestamp(event.at);
  object["name"] = event.name;
  object["generation"] = or_null(event.generation);
  object["serving"] = or_null(event.serving);
  object["worker"] = or_null(event.worker);
  object["worker_pid"] = or_null(event.worker_pid);
  object["reason"] = event.reason.empty() ? Json(nullptr) : Json(event.reason);
  // All ASCII, so that no control character of any kind gets through; bytes that are no UTF-8 are replaced.
  return object.dump(-1, ' ', true, Json::error_handler_t::replace) + '\n';
}

}  // namespace graced
