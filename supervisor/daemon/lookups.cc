// The record is of fields, each a letter and a text, ended by a NUL byte: "u", a name that is being looked up;
// "f", a program that is being found; "a", the account, as JSON; "m", why there is none.
#include "daemon/lookups.h"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

#include "core/version.h"
#include "daemon/plan.h"
#include "linux/base/pipe_text.h"
#include "state/state_reader.h"
#include "state/state_writer.h"

namespace graced {

template <>
struct Members<Account> {
  static constexpr std::tuple all{
      Named{"uid", &Account::uid},   Named{"gid", &Account::gid},   Named{"groups", &Account::groups},
      Named{"name", &Account::name}, Named{"home", &Account::home}, Named{"shell", &Account::shell},
  };
};

namespace {

std::string field(char kind, std::string_view text) {
  return fmt::format("{}{}{}", kind, text, '\0');
}

// The last field that is of one of these kinds, with its letter; empty: there is none.
std::string last_of(std::string_view record, std::string_view kinds) {
  std::string found;
  for (std::size_t end = 0; (end = record.find('\0')) != std::string_view::npos;
       record.remove_prefix(end + 1)) {
    if (kinds.find(record.front()) != std::string_view::npos) found = record.substr(0, end);
  }
  return found;
}

std::string account_text(const Account& account) {
  StateWriter writer(own_version());
  writer.add("account", account);
  return writer.text();
}

bool names_account(const RunOptions& options) {
  return options.user || options.group;
}

std::string named_account(const RunOptions& options) {
  return options.user ? fmt::format("user '{}'", *options.user) : fmt::format("group '{}'", *options.group);
}

// As graced will do it. What is wrong is told when graced does.
class Rehearsal {
 public:
  Rehearsal(const RunOptions& options, const std::vector<std::string>& environment, int output)
      : options_(options), environment_(environment), output_(output) {}

  void run() {
    const std::optional<Account> account = look_up_account();
    for (const ListenSpec& spec : options_.listen) {
      if (spec.options.user) try_name("user", *spec.options.user, [&] { find_user(*spec.options.user); });
      if (spec.options.group) try_name("group", *spec.options.group, [&] { find_group(*spec.options.group); });
    }
    say('f', options_.command.front());
    Plan plan = plan_as_written(options_, environment_, account);
    hold_artefact(plan, Fd());
  }

 private:
  void say(char kind, std::string_view text) { write_all(output_, field(kind, text)); }

  std::optional<Account> look_up_account() {
    if (!names_account(options_)) return std::nullopt;
    say('u', named_account(options_));
    try {
      std::optional<Account> account = account_of(options_);
      say('a', account_text(*account));
      return account;
    } catch (const std::runtime_error& e) {
      say('m', e.what());
      throw;
    }
  }

  template <class LookUp>
  void try_name(std::string_view kind, const std::string& name, const LookUp& look_up) {
    say('u', fmt::format("{} '{}'", kind, name));
    try {
      look_up();
    } catch (const std::runtime_error&) {}
  }

  const RunOptions& options_;
  const std::vector<std::string>& environment_;
  int output_;
};

}  // namespace

void Lookups::begin(const RunOptions& options, const std::vector<std::string>& environment,
                    const StartingPlace& place, std::function<void()> done) {
  first_ = options.command.front();
  record_.begin(
      place, [&](int output) { Rehearsal(options, environment, output).run(); }, std::move(done));
}

std::optional<Account> Lookups::account(const RunOptions& options) const {
  if (!names_account(options)) return std::nullopt;
  const std::string said = last_of(record_.text(), "am");
  if (said.empty()) throw std::runtime_error(named_account(options) + " could not be looked up");
  if (said.front() == 'm') throw std::runtime_error(said.substr(1));
  Account account{};
  StateReader(said.substr(1)).read("account", account);
  return account;
}

WaitsFor Lookups::waits_for() const {
  if (!record_.is_under_way()) return {};
  if (WaitsFor place = record_.waits_for_place(); !place.what.empty()) return place;
  const std::string at = last_of(record_.text(), "uf");
  if (at.empty()) return {first_, "found"};
  return {at.substr(1), at.front() == 'u' ? "looked up" : "found"};
}

}  // namespace graced
