// Generations of workers whose addresses a Handoff has: each worker is a process of its own below the adoption
// filter, that serves as it is told.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "adoption_story.h"
#include "handoff/handoff.h"
#include "handoff/kept_listeners.h"

namespace graced {

// At each word the next of these addresses is bound, and listened on where it takes connections: "ok", or an
// errno. At the words after the last one the first, second … is closed, and bound again: "ok". Who comes there
// is told `name`, and may stay; a datagram is answered with it.
struct Served {
  int type = SOCK_STREAM;
  Where where;
};
FilteredWorker::Body named_server(std::string name, std::vector<Served> addresses);

// Connected, or having asked by a datagram.
class NamedClient {
 public:
  explicit NamedClient(const Served& there);
  std::string told();  // by whom it was let in; an errno: nobody lets it in
  std::string asks();  // datagrams: who answers

 private:
  Fd fd_;
  int failed_ = 0;
};

class HandoffStory {
 public:
  HandoffStory();

  Handoff& handoff() { return *handoff_; }
  FilteredWorker& start(WorkerId worker, GenerationId generation, const FilteredWorker::Body& body);

  std::string hears(FilteredWorker& worker);  // its next line, "gone": it has ended
  std::string goes_and_says(FilteredWorker& worker) {
    worker.go();
    return hears(worker);
  }
  void until(const std::function<bool()>& holds);
  bool was_idle(WorkerId worker) const;
  int notifications(WorkerId worker);  // readable: it asks

  // The image before is never destroyed. Its handoff's state is that of the next one's.
  void another_image();
  std::vector<std::shared_ptr<Listener>> listeners{};  // by number: those of the image before become these

  std::vector<WorkerId> idle{};
  std::vector<GenerationId> emptied{};
  std::vector<std::string> notes{};

 private:
  Handoff::Callbacks callbacks();
  void turn();

  std::unique_ptr<Loop> loop_ = std::make_unique<Loop>();
  std::list<FilteredWorker> workers_;
  std::unique_ptr<Handoff> handoff_;
};

}  // namespace graced
