// The daemon's own objects, as one image of graced hands them to the next: who this instance is, whom it hears
// and what it has told.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "daemon/advisor.h"
#include "daemon/announcer.h"
#include "daemon/candidate_failure.h"
#include "daemon/departed.h"
#include "daemon/handoff_capabilities.h"
#include "daemon/ignored_words.h"
#include "daemon/launcher.h"
#include "daemon/presence.h"
#include "daemon/process_outputs.h"
#include "daemon/reaper.h"
#include "daemon/signal_inbox.h"
#include "daemon/trees.h"
#include "daemon/worker_words.h"
#include "kept/base_members.h"
#include "kept/capability_members.h"
#include "kept/place_members.h"
#include "kept/steering_members.h"
#include "kept/worker_members.h"
#include "options/options.h"
#include "state/members.h"
#include "state/output_members.h"
#include "state/status_members.h"

namespace graced {

constexpr std::string_view state_word(LogLevel level) {
  switch (level) {
    case LogLevel::error:
      return "error";
    case LogLevel::warning:
      return "warning";
    case LogLevel::info:
      return "info";
    case LogLevel::debug:
      return "debug";
  }
  return {};
}

constexpr std::string_view state_word(LogFormat format) {
  switch (format) {
    case LogFormat::automatic:
      return "automatic";
    case LogFormat::text:
      return "text";
    case LogFormat::json:
      return "json";
    case LogFormat::journal:
      return "journal";
  }
  return {};
}

template <>
struct Members<ProcessOutputs::Kept> {
  using Kept = ProcessOutputs::Kept;
  static constexpr std::tuple all{
      Named{"format", &Kept::format},
      Named{"log", &Kept::log},
      Named{"err", &Kept::err},
      Named{"out", &Kept::out},
  };
};

template <>
struct Members<Presence::Kept> {
  using Kept = Presence::Kept;
  static constexpr std::tuple all{
      Named{"since", &Kept::since},
      Named{"instance", &Kept::instance},
      Named{"pid-file", &Kept::pid_file},
  };
};

template <>
struct Members<Launcher::Kept> {
  using Kept = Launcher::Kept;
  static constexpr std::tuple all{Carried{"dev-null", &Kept::dev_null}, Named{"cgroups", &Kept::cgroups}};
};

template <>
struct Members<IgnoredWords::Kept> {
  using Kept = IgnoredWords::Kept;
  static constexpr std::tuple all{
      Named{"newest", &Kept::newest},
      Named{"words", &Kept::words},
      Named{"told", &Kept::told},
  };
};

template <>
struct Members<WorkerWords::Kept> {
  using Kept = WorkerWords::Kept;
  static constexpr std::tuple all{Named{"socket", &Kept::socket}, Named{"ignored", &Kept::ignored}};
};

template <>
struct Members<Announcer::Ending> {
  using Ending = Announcer::Ending;
  static constexpr std::tuple all{Named{"exit-status", &Ending::exit_status},
                                  Named{"because", &Ending::because}};
};

template <>
struct Members<Announcer::Kept> {
  using Kept = Announcer::Kept;
  static constexpr std::tuple all{
      Named{"manager", &Kept::manager}, Named{"ending", &Kept::ending},     Named{"phase", &Kept::phase},
      Named{"workers", &Kept::workers}, Named{"restarts", &Kept::restarts},
  };
};

template <>
struct Members<Trees::Kept> {
  using Kept = Trees::Kept;
  static constexpr std::tuple all{Named{"began-alone", &Kept::began_alone}, Named{"askers", &Kept::askers}};
};

template <>
struct Members<Departed> {
  static constexpr std::tuple all{
      Named{"pid", &Departed::pid},
      Named{"lived", &Departed::lived},
      Named{"last-lines", &Departed::last_lines},
  };
};

template <>
struct Members<Reaper::Kept> {
  using Kept = Reaper::Kept;
  static constexpr std::tuple all{Named{"trees", &Kept::trees}, Named{"departed", &Kept::departed}};
};

template <>
struct Members<Advisor::Kept> {
  static constexpr std::tuple all{Named{"told", &Advisor::Kept::told}};
};

template <>
struct Members<SignalInbox::Kept> {
  using Kept = SignalInbox::Kept;
  static constexpr std::tuple all{Named{"had-terminal", &Kept::had_terminal}, Named{"told", &Kept::told}};
};

template <>
struct Members<CandidateFailure::Candidate> {
  using Candidate = CandidateFailure::Candidate;
  static constexpr std::tuple all{
      Named{"generation", &Candidate::generation},
      Named{"stranger", &Candidate::stranger},
      Named{"last-words", &Candidate::last_words},
      Named{"error", &Candidate::error},
  };
};

template <>
struct Members<CandidateFailure::Failed> {
  using Failed = CandidateFailure::Failed;
  static constexpr std::tuple all{
      Named{"generation", &Failed::generation},
      Named{"why", &Failed::why},
      Named{"details", &Failed::details},
      Named{"last-words", &Failed::last_words},
  };
};

template <>
struct Members<CandidateFailure> {
  static constexpr std::tuple all{Named{"candidate", &CandidateFailure::candidate_},
                                  Named{"failed", &CandidateFailure::failed_}};
};

template <>
struct Members<HandoffCapabilities> {
  static constexpr std::tuple all{
      Named{"adoption", &HandoffCapabilities::adoption_},
      Named{"adoption-of", &HandoffCapabilities::adoption_of_},
      Named{"steering", &HandoffCapabilities::steering_},
  };
};

}  // namespace graced
