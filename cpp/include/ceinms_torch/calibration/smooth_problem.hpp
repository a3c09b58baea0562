/// @file smooth_problem.hpp
/// What gradient descent needs to know of a problem.
#pragma once

#include "ceinms_torch/kernel/one_at_a_time.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace ceinms_torch::calibration {

/// The objective at one point.
struct Evaluation {
  double objective = 0.0;
  std::vector<double> terms;  ///< in the order of SmoothProblem::term_names
  std::vector<double> rmse;   ///< of each DOF that counts, averaged over trials [N m]
};

/// An objective with a gradient. Not safe for use by several threads.
class SmoothProblem {
 public:
  virtual ~SmoothProblem() = default;

  virtual std::size_t n_component() const noexcept = 0;
  /// The first so many components stay in the unit box; the others are free.
  virtual std::size_t n_boxed() const noexcept { return n_component(); }
  virtual std::vector<std::string> term_names() const = 0;
  /// Objective and its gradient (n) at x (n).
  virtual const Evaluation& gradient(const double* x, double* gradient) = 0;
  /// Held by whoever uses it.
  virtual kernel::OneAtATime& lock() noexcept { return lock_; }

 private:
  kernel::OneAtATime lock_;
};

}  // namespace ceinms_torch::calibration
