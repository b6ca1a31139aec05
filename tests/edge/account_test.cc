// Users and groups by name and number, against this machine's own.
#include "linux/base/account.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <stdexcept>

using namespace graced;

namespace {

template <class Body>
std::string error_of(const Body& body) {
  try {
    body();
  } catch (const std::runtime_error& error) { return error.what(); }
  return "no error";
}

}  // namespace

TEST_CASE("a user is found by name and by number, with home, shell and groups") {
  for (const char* const user : {"root", "0"}) {
    const Account account = find_account(user);
    CHECK(account.uid == 0);
    CHECK(account.gid == 0);
    CHECK(account.name == "root");
    CHECK(account.home == "/root");
    CHECK(!account.shell.empty());
    CHECK(std::ranges::count(account.groups, gid_t{0}) == 1);
  }
}

TEST_CASE("a group given takes the place of the user's own") {
  const Account account = find_account("root", "4711");
  CHECK(account.uid == 0);
  CHECK(account.gid == 4711);
  CHECK(std::ranges::count(account.groups, gid_t{4711}) == 1);
}

TEST_CASE("a number needs no entry in the user database") {
  const Account account = find_account("3999999999");
  CHECK(account.uid == 3999999999);
  CHECK(account.gid == 3999999999);
  CHECK(account.groups == std::vector<gid_t>{3999999999});
  CHECK(account.name == "3999999999");
  CHECK(account.home == "/");
  CHECK(find_user("3999999999") == 3999999999);
  CHECK(find_group("3999999999") == 3999999999);
}

TEST_CASE("unknown and impossible accounts are named") {
  CHECK(error_of([] { find_account("no-such-user"); }) == "user 'no-such-user' does not exist");
  CHECK(error_of([] { find_user("no-such-user"); }) == "user 'no-such-user' does not exist");
  CHECK(error_of([] { find_account("root", "no-such-group"); }) == "group 'no-such-group' does not exist");
  CHECK(error_of([] { find_account(""); }) == "user '' is empty");
  // chown(2) and setresuid(2) read these as "leave it as it is": graced would stay root.
  CHECK(error_of([] { find_account("4294967295"); }) ==
        "user '4294967295' is not a number an account can have");
  CHECK(error_of([] { find_group("65535"); }) == "group '65535' is not a number an account can have");
  CHECK(error_of([] { find_user("99999999999"); }) == "user '99999999999' is not a number an account can have");
}
