#include "daemon/worker_words.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <utility>

#include "core/notify_text.h"
#include "daemon/worker_log.h"
#include "linux/proc/process.h"

namespace graced {

WorkerWords::WorkerWords(Loop& loop, const std::string& path, Others others)
    : loop_(loop),
      o_(others),
      socket_(path),
      ignored_(loop,
               [this](GenerationId generation, const std::string& words) { tell_ignored(generation, words); }) {
}

WorkerWords::WorkerWords(Loop& loop, Kept kept, Others others)
    : loop_(loop),
      o_(others),
      socket_(std::move(kept.socket)),
      ignored_(loop,
               [this](GenerationId generation, const std::string& words) { tell_ignored(generation, words); }) {
  ignored_.take_over(std::move(kept.ignored));
}

void WorkerWords::tell_ignored(GenerationId generation, const std::string& words) {
  o_.log.info({.generation = generation.value},
              "of what it says some is ignored: {} (NOTIFY_SOCKET in graced(1) has the words)", words);
}

void WorkerWords::attend() {
  readable_ = loop_.on_fd(socket_.fd(), EPOLLIN, Priority::notify, [this] { read(); });
  readable_.limit(10ms, 100);  // a flood must not keep the others from their turn
}

void WorkerWords::read() {
  constexpr int at_once = 32;
  for (int i = 0; i < at_once; ++i) {
    const auto said = socket_.receive();
    if (!said) return;
    heard(*said);
  }
}

void WorkerWords::heard(const Notification& said) {
  const NotifyText text = parse_notify_text(said.text);
  WorkerProcess* worker = said.sender > 0 ? o_.workers.speaker(said) : nullptr;
  if (!worker) {
    if (text.ready && said.sender > 0) ignore_ready(said.sender);
    return;
  }
  if (text.status && *text.status != worker->status) {
    worker->status = *text.status;
    o_.log.debug(about(*worker), "says: {}", worker->status);
  }
  ignored_.heard(worker->generation, text.ignored);
  const WorkerId id = worker->id;
  if (text.ready) o_.ready.said_ready(id, said.sender);
  if (text.extend_timeout) o_.pump.happens(WorkerAsksTime{id, *text.extend_timeout});
  if (text.stopping) o_.pump.happens(WorkerStopping{id});
}

void WorkerWords::ignore_ready(pid_t sender) {
  if (!o_.pump.status().candidate) return;
  const std::string remark =
      parent_of(sender)
          ? fmt::format("READY=1 came from {}, which is no process of the worker's", text_of_process(sender))
          : fmt::format(
                "READY=1 came from PID {}, which was gone before it could be told whose it was; "
                "let it wait, as systemd-notify does",
                sender);
  if (o_.failure.note_stranger(remark)) o_.log.warning("ignored: {}", remark);
}

}  // namespace graced
