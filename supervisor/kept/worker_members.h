// Workers, what they have left behind, and what they write.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "kept/base_members.h"
#include "linux/self/output.h"
#include "linux/worker/artefact.h"
#include "linux/worker/known_files.h"
#include "state/members.h"
#include "state/output_members.h"
#include "workers/output_watch.h"
#include "workers/survivors.h"
#include "workers/worker_process.h"

namespace graced {

constexpr std::string_view state_word(LineForm::Kind kind) {
  switch (kind) {
    case LineForm::Kind::text:
      return "text";
    case LineForm::Kind::timed_text:
      return "timed-text";
    case LineForm::Kind::json:
      return "json";
    case LineForm::Kind::journal:
      return "journal";
  }
  return {};
}

template <>
struct Members<Shebang> {
  static constexpr std::tuple all{
      Named{"interpreter", &Shebang::interpreter},
      Named{"argument", &Shebang::argument},
      Named{"program", &Shebang::program},
  };
};

template <>
struct Members<KnownFiles> {
  static constexpr std::tuple all{Named{"files", &KnownFiles::files_}};
};

template <>
struct Members<KnownFiles::Known> {
  using Known = KnownFiles::Known;
  static constexpr std::tuple all{Named{"name", &Known::name}, Named{"then", &Known::then}};
};

template <>
struct Members<Artefact::Kept> {
  using Kept = Artefact::Kept;
  static constexpr std::tuple all{
      Carried{"directory", &Kept::directory},
      Carried{"file", &Kept::file},
      Named{"then", &Kept::then},
      Named{"named", &Kept::named},
      Named{"resolved", &Kept::resolved},
      Named{"interpreter", &Kept::interpreter},
      Named{"by-path-only", &Kept::by_path_only},
      Named{"read-by-name", &Kept::read_by_name},
  };
};

template <>
struct Members<Leftovers> {
  static constexpr std::tuple all{
      Named{"group", &Leftovers::group_},
      Named{"mark", &Leftovers::mark_},
      Named{"tops", &Leftovers::tops_},
      Named{"seen", &Leftovers::seen_},
      Named{"told", &Leftovers::told_},
      Named{"spared", &Leftovers::spared_},
      Named{"were-alone", &Leftovers::were_alone_},
  };
};

template <>
struct Members<WorkerProcess::Kept> {
  using Kept = WorkerProcess::Kept;
  static constexpr std::tuple all{
      Named{"id", &Kept::id},
      Named{"generation", &Kept::generation},
      Named{"slot", &Kept::slot},
      Named{"pid", &Kept::pid},
      Carried{"pidfd", &Kept::pidfd},
      Named{"started", &Kept::started},
      Named{"drain-signal", &Kept::drain_signal},
      Named{"signal-asked", &Kept::signal_asked},
      Named{"retired", &Kept::retired},
      Named{"command", &Kept::command},
      Named{"served", &Kept::served},
      Named{"rest", &Kept::rest},
      Named{"rest-told", &Kept::rest_told},
      Named{"status", &Kept::status},
      Named{"stopped-by", &Kept::stopped_by},
      Borrowed{"out", &Kept::out},
      Borrowed{"err", &Kept::err},
  };
  static std::optional<std::string> flaw(const Kept& k) {
    if (k.rest && k.rest->tops().empty()) return "a worker that is gone has left nobody";
    return std::nullopt;
  }
};

template <>
struct Members<Output::Kept> {
  using Kept = Output::Kept;
  static constexpr std::tuple all{
      Named{"to-journal", &Kept::to_journal}, Carried{"own", &Kept::own},
      Carried{"journal", &Kept::journal},     Named{"waiting", &Kept::waiting},
      Named{"entries", &Kept::entries},       Named{"broken", &Kept::broken},
  };
};

template <>
struct Members<LineTeller::Kept> {
  using Kept = LineTeller::Kept;
  static constexpr std::tuple all{
      Named{"kind", &Kept::kind},   Named{"instance", &Kept::instance}, Named{"speaker", &Kept::speaker},
      Named{"keeps", &Kept::keeps}, Named{"pieces", &Kept::pieces},
  };
};

template <>
struct Members<WatchedOutput::Kept> {
  using Kept = WatchedOutput::Kept;
  static constexpr std::tuple all{
      Carried{"pipe", &Kept::pipe},   Named{"teller", &Kept::teller}, Named{"lines", &Kept::lines},
      Named{"waited", &Kept::waited}, Named{"ended", &Kept::ended},   Named{"released", &Kept::released},
  };
};

template <>
struct Members<OutputWatch::Dropped> {
  using Dropped = OutputWatch::Dropped;
  static constexpr std::tuple all{Named{"own", &Dropped::own}, Named{"workers", &Dropped::workers}};
};

template <>
struct Members<OutputWatch::Kept> {
  using Kept = OutputWatch::Kept;
  static constexpr std::tuple all{
      Named{"output", &Kept::output},      Named{"streams", &Kept::streams},
      Borrowed{"in-line", &Kept::in_line}, Named{"passed-on", &Kept::passed_on},
      Named{"drops", &Kept::drops},        Named{"dropped", &Kept::dropped},
  };
};

template <>
struct Members<Survivors::Survivor> {
  using Survivor = Survivors::Survivor;
  static constexpr std::tuple all{
      Named{"generation", &Survivor::generation}, Named{"slot", &Survivor::slot}, Named{"pid", &Survivor::pid},
      NotWritten{&Survivor::rest},  // told with each answer
  };
};

template <>
struct Members<Survivors::Kept::Watched> {
  using Watched = Survivors::Kept::Watched;
  static constexpr std::tuple all{Named{"pid", &Watched::pid}, Carried{"process", &Watched::process}};
};

template <>
struct Members<Survivors::Kept::Tree> {
  using Tree = Survivors::Kept::Tree;
  static constexpr std::tuple all{
      Named{"survivor", &Tree::survivor}, Named{"processes", &Tree::processes},
      Carried{"worker", &Tree::worker},   Named{"sockets", &Tree::sockets},
      Named{"told", &Tree::told},         Named{"watched", &Tree::watched},
  };
};

template <>
struct Members<Survivors::Kept> {
  using Kept = Survivors::Kept;
  static constexpr std::tuple all{
      Named{"trees", &Kept::trees},
      Named{"signo", &Kept::signo},
      Named{"drained", &Kept::drained},
      Named{"hammered", &Kept::hammered},
  };
};

}  // namespace graced
