// graced-top [NAME] [--control PATH] [--sort KEY]: what `graced top` runs.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "client/choice.h"
#include "client/client.h"
#include "client/outcome.h"
#include "linux/base/file_id.h"
#include "linux/self/terminal.h"
#include "options/command_line.h"
#include "options/usage_error.h"
#include "top/screen.h"
#include "top/top.h"
#include "top/watcher.h"

namespace graced {
namespace {

constexpr Duration at_least_every = 100ms;  // news of a look or a request waits no longer for the screen

void run(TopSort sort, const std::string& opened, const Terminal& terminal) {
  Screen screen(terminal.colour);
  Watcher watcher(terminal.places);
  Top top(sort, opened);
  std::size_t shown = ~std::size_t{0};
  bool stale = true;
  for (;;) {
    watcher.wish_for(top.wish(screen.rows()));
    const std::shared_ptr<const Sights> sights = watcher.sights();
    if (top.hear()) {
      watcher.look_again();
      stale = true;
    }
    if (stale || sights->number != shown) {
      screen.show(top.lines(*sights, screen.columns(), screen.rows()));
      shown = sights->number;
      stale = false;
      watcher.wish_for(top.wish(screen.rows()));  // what is on the screen is known now
    }
    const Key key = screen.wait(at_least_every);
    stale = key.kind != Key::Kind::none;
    switch (top.press(key, *sights, screen.rows())) {
      case Top::After::goes_on:
        break;
      case Top::After::looks_again:
        watcher.look_again();
        break;
      case Top::After::quits:
        return;
    }
  }
}

// One file may have several paths.
std::string as_it_is_listed(const ControlPlaces& places) {
  const FileId file = file_id(places.control.c_str());
  for (const Found& f : control_sockets(places))
    if (file_id(f.control.c_str()) == file) return f.control;
  return places.control;
}

int show(const TopCommand& command) {
  Terminal terminal = this_terminal();
  return answered(terminal, [&] {
    std::string opened;
    if (command.target) {
      terminal.places.control = choose(*command.target, terminal.places).control;  // wherever that is
      opened = as_it_is_listed(terminal.places);
    }
    run(command.sort, opened, terminal);
    return exit_status::done;
  });
}

int main(int argc, char** argv) {
  std::vector<std::string> words{"top"};
  words.insert(words.end(), argv + 1, argv + argc);
  std::vector<std::string> environment;
  for (char** e = environ; *e != nullptr; ++e) environment.emplace_back(*e);
  try {
    const ParsedCommand command = parse_command_line(words, environment, terminal_columns(STDOUT_FILENO));
    if (const auto* top = std::get_if<TopCommand>(&command)) return show(*top);
    if (const auto* help = std::get_if<HelpCommand>(&command)) fmt::print("{}", help->text);
    return exit_status::done;
  } catch (const UsageError& e) {
    for (const std::string& line : e.lines()) fmt::print(stderr, "graced: {}\n", line);
    return exit_status::usage;
  } catch (const std::exception& e) {
    fmt::print(stderr, "graced: {}\n", e.what());
    return exit_status::failed;
  }
}

}  // namespace
}  // namespace graced

int main(int argc, char** argv) {
  const int status = graced::main(argc, argv);
  std::fflush(stdout);
  std::_Exit(status);  // a look or a request may be under way: nobody waits for it
}
