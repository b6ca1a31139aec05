// What is to be had under which path. Nothing here changes anything, and nothing waits.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "exporter/look.h"
#include "exporter/metrics.h"

namespace graced {

struct HttpRequest {
  std::string method;
  std::string path;    // decoded
  std::string accept;  // the header, may be empty
};

struct Reply {
  unsigned status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body{};
  bool whole_page = false;  // of HTML: it may have a style and a script of this server's
};

class Site {
 public:
  enum class Need : std::uint8_t { nothing, look, events };

  // What is needed to answer; `nothing` as well where there is no such path.
  static Need need(const HttpRequest& request);

  // look: nullptr where it failed.
  static Reply answer(const HttpRequest& request, const Look* look, const ServerNumbers& server);

  // Whether the same bytes are an answer to both, so that they are written once.
  static std::string key(const HttpRequest& request);
};

}  // namespace graced
