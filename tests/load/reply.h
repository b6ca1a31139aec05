// One HTTP/1.x answer, read as it trickles in. Knows nothing of sockets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace load {

class Reply {
 public:
  enum class State {
    waiting,    // not a byte yet
    partial,    // begun
    complete,   // all there
    malformed,  // not HTTP, or longer than it said
  };

  State feed(std::string_view bytes);
  State end();  // the peer closed; completes a body whose length was not told

  State state() const { return state_; }
  int status() const { return status_; }
  bool keep_alive() const { return keep_alive_; }  // meaningful once complete
  std::string_view body() const { return body_; }  // its beginning, at most 256 bytes

 private:
  enum class Stage { head, sized, until_close, chunk_size, chunk, chunk_end, trailer, done };

  void read_head();
  void read_header(std::string_view line);
  std::optional<std::string> take_line();  // nullopt: not all of it is there
  void take_body();
  void advance();

  State state_ = State::waiting;
  Stage stage_ = Stage::head;
  std::string pending_;  // not understood yet
  std::string body_;
  std::uint64_t left_ = 0;  // of the body or of the chunk
  bool has_length_ = false;
  bool chunked_ = false;
  bool keep_alive_ = false;
  int status_ = 0;
};

}  // namespace load
