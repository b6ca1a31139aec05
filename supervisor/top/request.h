// A reload or a rollback that was asked for, in a thread of its own: it may take minutes.
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace graced {

class Request {
 public:
  enum class Kind { reload, rollback };

  // control: path of the instance's socket. name: as it is called in sentences, printable.
  Request(Kind kind, std::string control, std::string name);
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  const std::string& control() const { return control_; }

  struct Outcome {
    bool ok;
    std::string text;  // one sentence: "shop: generation 8 serves"
  };
  std::optional<Outcome> outcome() const;  // none yet

 private:
  struct Shared;
  std::string control_;
  std::shared_ptr<Shared> shared_;  // with the thread: nobody waits for it
};

}  // namespace graced
