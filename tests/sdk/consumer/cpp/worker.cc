// The least that uses the C++ form: it is built against an installed tree.
#include <graced/child.hpp>

int main() {
  graced::child::DrainToken drain;
  const graced::child::Listener http = graced::child::listen("http", "127.0.0.1:0");
  graced::child::InFlight requests;
  graced::child::ready();
  drain.request();
  drain.wait();
  return http.fd() >= 0 && requests.shutdown(std::chrono::seconds(1)) == graced::child::Outcome::idle ? 0 : 1;
}
