/// @file hybrid.hpp
/// EMG-assisted, hybrid and static optimisation: excitations searched for frame by frame
/// (reference E).
#pragma once

#include "ceinms_torch/legacy/annealing.hpp"
#include "ceinms_torch/legacy/frame_problem.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace ceinms_torch::legacy {

/// CEINMS's own search: annealing, from the same random numbers at every frame.
class AnnealingSearch final : public FrameSearch {
 public:
  /// @param go_on asked after every evaluation; false ends a search where it is. May be empty.
  explicit AnnealingSearch(const AnnealingOptions& options, std::function<bool()> go_on = {})
      : options_(options), go_on_(std::move(go_on)) {}
  std::size_t search(FrameProblem& problem) override;

 private:
  AnnealingOptions options_;
  std::function<bool()> go_on_;
};

/// What a run gives, and how each frame ended.
struct HybridOutput {
  RunOutput run;
  double* excitation;         ///< (n_step, n_mtu) that were used
  double* terms;              ///< (n_step, 3): moment, effort, tracking; see FrameTerms
  std::int64_t* evaluations;  ///< (n_step) of the objective
};

/// Search all frames. `go_on` is asked after the search in each; false stops, and the number of
/// frames that are complete is returned.
std::size_t run_hybrid(FrameProblem& problem, FrameSearch& search, const HybridOutput& out,
                       const std::function<bool()>& go_on);

}  // namespace ceinms_torch::legacy
