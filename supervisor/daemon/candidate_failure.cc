#include "daemon/candidate_failure.h"

#include <utility>

namespace graced {

void CandidateFailure::begin(GenerationId candidate) {
  candidate_ = Candidate();
  candidate_.generation = candidate;
}

void CandidateFailure::note_last_words(GenerationId generation, std::vector<std::string> lines) {
  if (generation == candidate_.generation) candidate_.last_words = std::move(lines);
}

void CandidateFailure::note_error(int code) {
  candidate_.error = code;
}

bool CandidateFailure::note_stranger(const std::string& remark) {
  if (remark == candidate_.stranger) return false;
  candidate_.stranger = remark;
  return true;
}

void CandidateFailure::failed(const std::string& why, const std::string& missing) {
  failed_ = {candidate_.generation, why, missing.empty() ? "" : ": " + missing,
             std::exchange(candidate_.last_words, {})};
  if (!candidate_.stranger.empty()) failed_.details += " (" + candidate_.stranger + ")";
}

std::string CandidateFailure::line() const {
  return failed_.why + failed_.details;
}

std::string CandidateFailure::in_full(GenerationId generation, const std::string& why) const {
  if (generation == GenerationId{} || generation != failed_.generation) return why;
  std::string text = why + failed_.details;
  for (const std::string& line : failed_.last_words) text += "\n" + line;
  return text;
}

}  // namespace graced
