// The little of HTTP/1.1 that the example server speaks: a request's head in, an answer out.
#pragma once

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

struct Request {
  const char* refusal = nullptr;  // the status to refuse it with; then nothing else counts
  bool head_only = false;
  bool client_closes = false;        // after this answer
  std::chrono::milliseconds slow{};  // what /slow?ms= asks for
};

constexpr std::string_view end_of_head = "\r\n\r\n";
constexpr std::size_t longest_head = 16 * 1024;

// The value of a header in lower case, "" if it is not there. head: whole lines.
inline std::string header_value(std::string_view head, std::string_view name) {
  for (std::size_t end; (end = head.find("\r\n")) != head.npos; head.remove_prefix(end + 2)) {
    std::string_view line = head.substr(0, end);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    if (::strncasecmp(line.data(), name.data(), name.size()) != 0) continue;
    line.remove_prefix(std::min(line.find_first_not_of(" \t", name.size() + 1), line.size()));
    std::string value(line);
    for (char& c : value) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return value;
  }
  return "";
}

// Takes the next request off `in`; nullopt if it is not complete yet.
inline std::optional<Request> take_request(std::string& in) {
  while (in.starts_with("\r\n")) in.erase(0, 2);  // RFC 9112, 2.2: some clients send one too many
  const std::size_t end = in.find(end_of_head);
  if (end == in.npos) {
    if (in.size() <= longest_head) return std::nullopt;
    return Request{.refusal = "431 Request Header Fields Too Large"};
  }
  const std::string head = in.substr(0, end + 2);
  in.erase(0, end + end_of_head.size());

  const std::string_view line = std::string_view(head).substr(0, head.find("\r\n"));
  const std::size_t target_at = line.find(' ');
  const std::size_t version_at = line.rfind(' ');
  if (target_at == version_at) return Request{.refusal = "400 Bad Request"};
  const std::string_view method = line.substr(0, target_at);
  const std::string_view target = line.substr(target_at + 1, version_at - target_at - 1);
  const std::string_view version = line.substr(version_at + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0")
    return Request{.refusal = "505 HTTP Version Not Supported"};
  if (method != "GET" && method != "HEAD") return Request{.refusal = "405 Method Not Allowed"};
  const std::string length = header_value(head, "content-length");
  if ((!length.empty() && length != "0") || !header_value(head, "transfer-encoding").empty()) {
    return Request{.refusal = "413 Content Too Large"};
  }

  Request request{.head_only = method == "HEAD"};
  const std::string connection = header_value(head, "connection");
  request.client_closes = version == "HTTP/1.1" ? connection.find("close") != connection.npos
                                                : connection.find("keep-alive") == connection.npos;
  constexpr std::string_view slow = "/slow?ms=";
  unsigned ms = 0;
  if (target.starts_with(slow)) std::from_chars(target.data() + slow.size(), target.data() + target.size(), ms);
  request.slow = std::chrono::milliseconds(ms);
  return request;
}

inline std::string answer_text(std::string_view status, std::string_view body, bool head_only, bool close) {
  std::string text = "HTTP/1.1 ";
  text += status;
  text += "\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(body.size());
  text += close ? "\r\nConnection: close\r\n\r\n" : "\r\nConnection: keep-alive\r\n\r\n";
  if (!head_only) text += body;
  return text;
}
