/// @file optimiser_run.hpp
/// What every optimiser of this layer keeps while it runs.
#pragma once

#include "ceinms_torch/calibration/optimisers.hpp"

#include <chrono>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

namespace ceinms_torch::calibration {

/// Stops when the best value has improved by less than a share, or a number in its own unit, for
/// too long. It may be negative (a loss of the user's): less is then farther from zero.
class EarlyStopping {
 public:
  EarlyStopping(double min_improvement, int patience, bool is_absolute = false)
      : min_improvement_(min_improvement), patience_(patience), is_absolute_(is_absolute) {}

  bool stops(int iteration, double best) {
    const double enough = is_absolute_
                              ? reference_ - min_improvement_
                              : reference_ * (1.0 - std::copysign(min_improvement_, reference_));
    if (iteration == 0 || best < enough) {
      reference_ = best;
      since_ = iteration;
    }
    return iteration - since_ >= patience_;
  }

 private:
  double min_improvement_;
  int patience_;
  bool is_absolute_;
  double reference_ = 0.0;
  int since_ = 0;
};

/// Clock, history and best point, and what ends every search.
class OptimiserRun {
 public:
  /// @param options  with min_improvement, patience, max_iterations and, maybe, is_absolute
  template <class Options>
  OptimiserRun(const Options& options, const Progress& progress)
      : progress_(progress),
        objective_(options.min_improvement, options.patience, is_absolute(options)),
        moments_(options.min_improvement, options.patience),
        watches_moments_(!is_absolute(options)),
        max_iterations_(options.max_iterations) {}

  void count_evaluation() noexcept { ++best_.evaluations; }

  /// Count and record the next iterate; says why the search ends with it, if it does.
  ///
  /// @param is_flat  whether no direction inside the box leads down from there
  std::optional<Status> take(const std::vector<double>& x, const Evaluation& now,
                             bool is_flat = false) {
    const auto iteration = static_cast<int>(best_.history.size());
    count_evaluation();
    if (!std::isfinite(now.objective)) return Status::not_finite;
    is_best_ = iteration == 0 || now.objective < best_.evaluation.objective;
    if (is_best_) {
      best_.x = x;
      best_.evaluation = now;
    }
    best_.history.push_back({iteration, best_.evaluations, seconds(), now});
    if (!progress_(best_.history.back())) return Status::interrupted;
    if (stalls(iteration)) return Status::converged_objective;
    if (is_flat) return Status::converged_gradient;
    if (iteration == max_iterations_) return Status::max_iterations;
    return std::nullopt;
  }

  /// Whether the latest iterate is the best so far.
  bool is_best() const noexcept { return is_best_; }

  Minimum finish(Status status) {
    best_.status = status;
    best_.seconds = seconds();
    return std::move(best_);
  }

 private:
  /// Whether neither the objective nor the moment errors in it get better: where penalties are most
  /// of an objective, errors may still fall by much of themselves when it hardly does. An
  /// improvement in the objective's own unit is of the objective alone.
  bool stalls(int iteration) {
    const Evaluation& best = best_.evaluation;
    const bool objective = objective_.stops(iteration, best.objective);
    if (!watches_moments_ || best.terms.empty()) return objective;
    return moments_.stops(iteration, best.terms.front()) && objective;
  }

  using Clock = std::chrono::steady_clock;
  double seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

  template <class Options>
  static bool is_absolute(const Options& options) {
    if constexpr (requires { options.is_absolute; }) return options.is_absolute;
    return false;
  }

  const Progress& progress_;
  EarlyStopping objective_;
  EarlyStopping moments_;
  bool watches_moments_;
  bool is_best_ = false;
  int max_iterations_;
  Clock::time_point begin_ = Clock::now();
  Minimum best_;
};

}  // namespace ceinms_torch::calibration
