// A datagram at the notify socket, from anybody who can reach it.
#include "core/notify_text.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto datagram = fuzz::text_of(data, size);
  const auto said = graced::parse_notify_text(datagram);
  if (said.status) {
    fuzz::promise(fuzz::is_one_line(*said.status) && said.status->size() <= 512, "a status is one short line");
  }
  if (said.extend_timeout) {
    fuzz::promise(*said.extend_timeout >= graced::Duration::zero(), "nobody asks for less time than none");
  }
  fuzz::promise(said.ignored.size() <= 16, "only a few ignored words are kept");
  for (const std::string& word : said.ignored) {
    fuzz::promise(fuzz::is_one_line(word) && word.size() <= 512,
                  "an ignored word is short and fit to be shown");
  }
  fuzz::promise(!said.ready || datagram.find("READY=1") != std::string_view::npos, "READY=1 is said in words");
  return 0;
}
