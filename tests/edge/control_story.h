// A process with a control socket and nothing behind it: it says what it is asked, and answers what and
// when the test says. Lines over two pipes, so that a test waits for words and not for time.
#pragma once

#include <string>
#include <vector>

#include "core/history.h"
#include "linux/base/fd.h"
#include "linux/control/control_report.h"

class ControlStory {
 public:
  // The process lives until quit(), or the end of the story.
  ControlStory(const std::string& name, const std::string& control, const graced::InstanceReport& report = {},
               graced::Duration greeting_limit = graced::infinity / 2,
               const std::vector<graced::InstanceEvent>& history = {});
  ControlStory(const ControlStory&) = delete;
  ControlStory& operator=(const ControlStory&) = delete;
  ~ControlStory();

  pid_t pid() const { return pid_; }

  // What it was asked next: "reload 1", "reload 0" (nobody waits), "stop 2", "abort PID UID", "hammer",
  // "upgrade 3 BINARY do|check TOKEN". Empty:
  // it has ended.
  std::string hears();

  // "answer ID ok GENERATION", "answer ID failed WHY", "phase NAME", "worker G SLOT PID STATE",
  // "upgraded ID ok TO", "upgraded ID failed WHY", "moves" (as before an exec, and goes on), "another" (image
  // has taken over: it knows what is remembered), "last TOKEN ok",
  // "last TOKEN failed WHY" (LastUpgrade), "finished G ok", "happened EVENT G REASON", "line TEXT" (of a
  // worker), "throw" (at the next hammer), "fork" (a process that has all its descriptors). \n in WHY is a line
  // feed. Returns once it is done.
  void does(const std::string& command);

  int quit();   // its exit status: 0, or 42 if the handler's exception came out of the loop
  void kill();  // SIGKILL

 private:
  int wait();

  pid_t pid_ = -1;
  graced::Fd words_;
  graced::Fd commands_;
};

// One line from a pipe, read byte by byte so that nothing of the next is taken. Fails the test after 20 s.
std::string read_line(int fd);
