// HTTP and TLS are libcurl's.
#include <curl/curl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cctype>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "core/printable.h"
#include "probe/look.h"

namespace graced {

namespace {

constexpr std::size_t most_of_body = 1 << 20;

struct Answer {
  const ProbeSpec& spec;
  std::string reason;  // of the status line
  std::string body;
  bool enough = false;  // of it was read
};

// "HTTP/1.1 503 Service Unavailable"; of HTTP/2 there is no reason in it.
std::size_t take_header(const char* data, std::size_t size, std::size_t count, void* to) {
  auto& answer = *static_cast<Answer*>(to);
  std::string_view line{data, size * count};
  if (line.starts_with("HTTP/")) {
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) line.remove_suffix(1);
    const auto code = line.find(' ');
    const auto reason = code == std::string_view::npos ? code : line.find(' ', code + 1);
    answer.reason = reason == std::string_view::npos ? "" : printable(line.substr(reason + 1, 100));
  }
  return size * count;
}

// No more is read than is needed: a stream has no end.
std::size_t take_body(const char* data, std::size_t size, std::size_t count, void* to) {
  auto& answer = *static_cast<Answer*>(to);
  if (!answer.spec.body.empty()) {
    answer.body.append(data, size * count);
    answer.enough =
        answer.body.size() >= most_of_body || answer.body.find(answer.spec.body) != std::string::npos;
  } else {
    answer.enough = true;
  }
  return answer.enough ? 0 : size * count;
}

curl_socket_t open_socket(void*, curlsocktype, curl_sockaddr* address) {
  const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  if (address->family != AF_UNIX) free_local_port(fd, address->family);
  return fd;
}

std::string url_of(const ProbeSpec& spec) {
  if (!spec.unix_path.empty()) return "http://localhost" + spec.path;
  const bool v6 = spec.host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}{}", spec.tls ? "https" : "http", v6 ? "[" : "", spec.host, v6 ? "]" : "",
                     spec.port, spec.path);
}

std::string why(CURL* curl, CURLcode code, const char* details, const ProbeSpec& spec) {
  if (code == CURLE_OPERATION_TIMEDOUT) return fmt::format("no answer in {}", to_text(spec.timeout));
  long error = 0;
  if (code == CURLE_COULDNT_CONNECT && curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &error) == CURLE_OK &&
      error != 0)
    return error_text(static_cast<int>(error));
  std::string text = printable(*details != '\0' ? details : curl_easy_strerror(code));
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])))
    text.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(text.front())));
  return text;
}

Look judge(CURL* curl, const Answer& answer) {
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  const std::string said = fmt::format("{}{}{}", status, answer.reason.empty() ? "" : " ", answer.reason);
  if (status < answer.spec.lowest_status || status > answer.spec.highest_status) return {false, said};
  if (answer.spec.body.empty() || answer.body.find(answer.spec.body) != std::string::npos) return {true, said};
  return {false, fmt::format("{}, and '{}' is not in {}", said, printable(answer.spec.body),
                             answer.enough ? "the first MiB of its body" : "its body")};
}

}  // namespace

Look look_by_http(const ProbeSpec& spec, const LocalPorts& from) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl_easy_init(), curl_easy_cleanup);
  CURL* const curl = handle.get();
  if (!curl) return {false, "libcurl cannot be used"};
  Answer answer{spec, "", ""};
  char details[CURL_ERROR_SIZE] = "";
  const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(curl, option, value); };

  set(CURLOPT_ERRORBUFFER, details);
  set(CURLOPT_URL, url_of(spec).c_str());
  set(CURLOPT_PROTOCOLS_STR, spec.tls ? "https" : "http");
  set(CURLOPT_PROXY, "");  // whatever the environment says
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TIMEOUT_MS,
      static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(spec.timeout).count()));
  set(CURLOPT_USERAGENT, "graced-probe/" GRACED_VERSION);
  set(CURLOPT_HEADERFUNCTION, take_header);
  set(CURLOPT_HEADERDATA, &answer);
  set(CURLOPT_WRITEFUNCTION, take_body);
  set(CURLOPT_WRITEDATA, &answer);
  set(CURLOPT_OPENSOCKETFUNCTION, open_socket);
  if (from.count > 0) {
    set(CURLOPT_LOCALPORT, static_cast<long>(from.first));
    set(CURLOPT_LOCALPORTRANGE, static_cast<long>(from.count));
  }
  if (!spec.unix_path.empty()) set(CURLOPT_UNIX_SOCKET_PATH, spec.unix_path.c_str());
  if (spec.insecure) {
    set(CURLOPT_SSL_VERIFYPEER, 0L);
    set(CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (const char* authorities = std::getenv("SSL_CERT_FILE")) set(CURLOPT_CAINFO, authorities);
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(nullptr, curl_slist_free_all);
  if (!spec.host_header.empty()) {
    headers.reset(curl_slist_append(nullptr, ("Host: " + spec.host_header).c_str()));
    set(CURLOPT_HTTPHEADER, headers.get());
  }

  const CURLcode code = curl_easy_perform(curl);
  if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && answer.enough))
    return {false, why(curl, code, details, spec)};
  return judge(curl, answer);
}

}  // namespace graced
