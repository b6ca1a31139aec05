// How a listening socket is called while the service manager keeps it.
#include "core/store_name.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace graced {

namespace {

std::string key_of(const char* listen) {
  return store_key(parse_listen_spec(listen));
}

}  // namespace

TEST_CASE("a store's name comes back as it went") {
  const StoreName name{key_of("unix:/run/a.0.1/b.sock"), 2, 1, 3, 26, 18'446'744'073'709'551'615U};
  CHECK(parse_store_name(to_text(name)) == name);
  CHECK(to_text(name).starts_with(StoreName::family));
}

TEST_CASE("a store's name has only characters that a name may have, and not too many") {
  const std::string strange = "unix:/run/\x01 a:b%c\xc3\xa4" + std::string(80, 'x');
  for (const std::string& listen :
       {std::string("127.0.0.1:8080"), std::string("[::1]:8080"), strange, strange + "y"}) {
    const std::string text = to_text({key_of(listen.c_str()), 4'000'000'000U, 4'000'000'000U, 4'000'000'001U,
                                      18'446'744'073'709'551'615U, 18'446'744'073'709'551'615U});
    CHECK(text.size() <= 255);
    CHECK(std::ranges::all_of(text, [](char c) { return c > ' ' && c < 127 && c != ':'; }));
  }
  CHECK(key_of(strange.c_str()) != key_of((strange + "y").c_str()));
}

TEST_CASE("what is bound otherwise has another name, what can be changed has not") {
  const std::string plain = key_of("127.0.0.1:8080");
  CHECK(key_of("127.0.0.1:8080,backlog=5,no-delay,name=http") == plain);
  CHECK(key_of("127.0.0.1:8080,free-bind") != plain);
  CHECK(key_of("127.0.0.1:8080,device=eth0") != plain);
  CHECK(key_of("[::]:8080,ipv6-only=yes") != key_of("[::]:8080,ipv6-only=no"));
}

TEST_CASE("what is not a store's name is told apart") {
  for (const char* text :
       {"", "http", "graced.listen.", "graced.listen.0.0.1.0.0.", "graced.listen.0.0.1.0.8080",
        "graced.listen.0.1.1.0.0.8080", "graced.listen.x.0.1.0.0.8080", "graced.worker.1.0"}) {
    CAPTURE(text);
    CHECK(parse_store_name(text) == std::nullopt);
  }
}

}  // namespace graced
