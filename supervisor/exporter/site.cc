#include "exporter/site.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "client/report_json.h"
#include "exporter/instance_html.h"
#include "exporter/overview_html.h"
#include "exporter/page_files.h"
#include "json/event_json.h"

namespace graced {
namespace {

constexpr std::string_view instances_path = "/api/v1/instances";
constexpr std::string_view history_end = "/history";
constexpr std::string_view page_of_one = "/instances/";
constexpr std::string_view json_type = "application/json";

bool asks_one(std::string_view path) {
  return path.starts_with(instances_path) && path.size() > instances_path.size() + 1 &&
         path[instances_path.size()] == '/';
}

Reply trouble(unsigned status, std::string_view why) {
  return {.status = status, .body = fmt::format("{}\n", why)};
}

// As `graced list --json` shows one that does not answer.
InstanceReport report_of(const Seen& seen) {
  InstanceReport report = seen.report();
  if (!seen.read()) report.phase = "silent";
  if (report.name.empty()) report.name = seen.name;
  return report;
}

Reply all_instances(const Look& look) {
  std::vector<InstanceReport> reports;
  for (const Seen& seen : look.instances) reports.push_back(report_of(seen));
  return {.type = std::string(json_type), .body = list_json(reports)};
}

Reply one_instance(const Look& look, std::string_view name) {
  if (const Seen* seen = look.find(name))
    return {.type = std::string(json_type), .body = report_json(report_of(*seen))};
  const bool history = name.ends_with(history_end);
  if (history) name.remove_suffix(history_end.size());
  const Seen* seen = history ? look.find(name) : nullptr;
  if (seen == nullptr) return trouble(404, "no such instance");
  return {.type = std::string(json_type), .body = history_json(seen->name, seen->history)};
}

bool asks_page(std::string_view path) {
  return path == "/" || path.starts_with(page_of_one);
}

Reply page(const Look& look, std::string_view path) {
  const Seen* one = nullptr;
  if (path != "/") {
    path.remove_prefix(page_of_one.size());
    one = look.find(path);
  }
  const bool found = one != nullptr || path == "/";
  return {.status = found ? 200U : 404U,
          .type = "text/html; charset=utf-8",
          .body = one != nullptr ? instance_html(*one, look)
                  : found        ? overview_html(look)
                                 : no_instance_html(path, look),
          .whole_page = true};
}

}  // namespace

Site::Need Site::need(const HttpRequest& request) {
  if (request.path == "/api/v1/events") return Need::events;
  const bool look = request.path == "/metrics" || request.path == instances_path || asks_one(request.path) ||
                    asks_page(request.path);
  return look ? Need::look : Need::nothing;
}

Reply Site::answer(const HttpRequest& request, const Look* look, const ServerNumbers& server) {
  if (need(request) == Need::nothing) {
    if (const PageFile* file = find_page_file(request.path))
      return {.type = std::string(file->type), .body = std::string(file->text), .whole_page = true};
    return trouble(404, "there is no such path; see /");
  }
  if (look == nullptr) return trouble(503, "the instances could not be looked at");
  if (request.path == "/metrics") {
    const TextFormat format = wanted_format(request.accept);
    return {.type = std::string(content_type(format)), .body = metric_text(metrics_of(*look, server), format)};
  }
  if (asks_page(request.path)) return page(*look, request.path);
  if (request.path == instances_path) return all_instances(*look);
  return one_instance(*look, std::string_view(request.path).substr(instances_path.size() + 1));
}

std::string Site::key(const HttpRequest& request) {
  return request.path == "/metrics"
             ? fmt::format("{} {}", request.path, content_type(wanted_format(request.accept)))
             : request.path;
}

}  // namespace graced
