/// @file optimiser_run.hpp
/// What every optimiser of this layer keeps while it runs.
#pragma once

#include "ceinms_torch/calibration/optimisers.hpp"

#include <chrono>
#include <cmath>
#include <utility>
#include <vector>

namespace ceinms_torch::calibration {

/// Clock, history and best point.
class OptimiserRun {
 public:
  explicit OptimiserRun(const Progress& progress) : progress_(progress) {}

  void count_evaluation() noexcept { ++best_.evaluations; }

  /// Record an iterate; false if the caller of the optimiser wants it to stop.
  bool record(int iteration, const std::vector<double>& x, const Evaluation& evaluation) {
    if (best_.history.empty() || evaluation.objective < best_.evaluation.objective) {
      best_.x = x;
      best_.evaluation = evaluation;
    }
    best_.history.push_back({iteration, best_.evaluations, seconds(), evaluation});
    return progress_(best_.history.back());
  }

  Minimum finish(Status status) {
    best_.status = status;
    best_.seconds = seconds();
    return std::move(best_);
  }

  double best() const noexcept { return best_.evaluation.objective; }

 private:
  using Clock = std::chrono::steady_clock;
  double seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

  const Progress& progress_;
  Clock::time_point begin_ = Clock::now();
  Minimum best_;
};

/// Stops when the best objective has improved by less than a share, or a number in its own unit,
/// for too long. It may be negative (a loss of the user's): less is then farther from zero.
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

}  // namespace ceinms_torch::calibration
