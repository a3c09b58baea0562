/// @file proximal_step.hpp
/// The convex problem that a step of the gradient search solves: least squares of few rows, with a
/// diagonal, absolute values and bounds.
#pragma once

#include <cstddef>
#include <vector>

namespace ceinms_torch::legacy {

/// min over y in [0, 1]^n of
///
///   sum_i [ D_i/2 (y_i - x_i)^2 + b_i (y_i - x_i) + g_i |y_i - m_i| ]
///   + alpha |r - J (y - x)|^2
///
/// with D > 0, by Newton's method on its dual. The dual has a variable per row of J only, and
/// given those every y_i follows from a formula, soft threshold and bounds included: so bounds and
/// kinks are met exactly, however many variables there are. The dual is concave and piecewise
/// quadratic, where Newton's method with an exact line search ends after few steps.
class ProximalStep {
 public:
  ProximalStep(std::size_t n, std::size_t n_row);

  // Set by the caller before `solve`.
  double alpha = 0.0;
  std::vector<double> x;         ///< (n)
  std::vector<double> diagonal;  ///< D (n), > 0
  std::vector<double> linear;    ///< b (n)
  std::vector<double> weight;    ///< g (n), >= 0
  std::vector<double> kink;      ///< m (n)
  std::vector<double> residual;  ///< r (n_row)
  std::vector<double> jacobian;  ///< J (n_row, n)

  /// Find y. Returns how much lower the objective is than at y = x; NaN if a number is not finite.
  double solve();
  const std::vector<double>& y() const noexcept { return y_; }

 private:
  /// Minimise over y at given multipliers: sets y and the gradient of the dual, returns its
  /// value.
  double respond(const std::vector<double>& multiplier);
  double search_along(double value_at_start, double slope_at_start);
  void linearise();
  bool solve_newton();
  double primal(const std::vector<double>& at) const noexcept;

  std::size_t n_;
  std::size_t n_row_;
  std::vector<double> inverse_;  ///< 1/D (n)
  std::vector<double> y_;
  std::vector<double> pull_;          ///< of the multipliers on each variable (n)
  std::vector<double> moved_;         ///< y - x (n)
  std::vector<double> free_inverse_;  ///< 1/D, or 0 at a bound and at the kink (n)
  std::vector<double> multiplier_;    ///< (n_row), the next step starts from it
  std::vector<double> trial_;
  std::vector<double> gradient_;  ///< of the dual (n_row)
  std::vector<double> step_;      ///< (n_row)
  std::vector<double> matrix_;    ///< (n_row, n_row) minus the dual's Hessian, then its factor
};

}  // namespace ceinms_torch::legacy
