/// @file trial_search.hpp
/// The excitations of a whole trial that explain its moments, by an interior-point method.
#pragma once

#include "ceinms_torch/calibration/optimisers.hpp"
#include "ceinms_torch/engine/excitation_problem.hpp"

#include <cstddef>
#include <vector>

namespace ceinms_torch::excitations {

/// What is minimised over the excitations e of the searched MTUs, from 0 to 1, at all steps:
///
///   sum |moment error|^2 + beta (sum e^2 + effort_of_others) + gamma sum |e - recorded|
///
/// the last sum over the first n_adjusted MTUs. Its terms are those of the result, weighted.
struct TrialObjective {
  double beta;
  double gamma;
  std::size_t n_adjusted;
  std::vector<double> recorded;  ///< (n_step, n_searched)
  double effort_of_others;
};

struct TrialSearchOptions {
  int max_iterations = 200;
  /// Share of the objective that may be left. A search that is slow also ends where five iterations
  /// gain less than a hundred times as much.
  double tolerance = 1e-6;
};

/// Search from `start` (n_step, n_searched).
///
/// Primal-dual interior-point method (Mehrotra 1992) on the Gauss-Newton model of the moment
/// errors, which engine::LinearTrialAlgebra solves in time that is linear in the steps. A change |e
/// - m| is a rise p and a fall q, e - m = p - q, both >= 0: smooth while the method is inside, and
/// the same where it ends. There, excitations at a bound or at what was recorded are so exactly.
///
/// A step shall lower the objective with its logarithmic barrier; where the corrected step does
/// not, that without the correction is taken, which leads down, and halved until it does. Where
/// errors are what remains of the objective, and Gauss-Newton is slow, the change of the
/// derivatives over the last step makes up for the curvature that it leaves out (Dennis, Gay &
/// Welsch 1981, but on the diagonal, and where the objective is concave a step as long as where it
/// is convex).
calibration::Minimum search_trial(engine::ExcitationProblem& problem,
                                  const TrialObjective& objective, const std::vector<double>& start,
                                  const TrialSearchOptions& options,
                                  const calibration::Progress& progress);

}  // namespace ceinms_torch::excitations
