/// @file spline_system.hpp
/// The system of equations behind CubicSpline, forwards and transposed.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace ceinms_torch::kernel {

/// Solve the spline's tridiagonal system, which is symmetric, in place:
///   h[i-1] s[i-1] + 2 (h[i-1] + h[i]) s[i] + h[i] s[i+1] = right[i]
/// with -h[0] s[0] + h[0] s[1] = right[0] at the first end, and likewise at the last.
inline void solve_spline_system(const std::vector<double>& h, std::vector<double>& right) {
  const std::size_t n = right.size();
  std::vector<double> diagonal(n);
  diagonal.front() = -h.front();
  diagonal.back() = -h.back();
  for (std::size_t i = 1; i + 1 < n; ++i) diagonal[i] = 2.0 * (h[i - 1] + h[i]);
  for (std::size_t i = 1; i < n; ++i) {
    const double ratio = h[i - 1] / diagonal[i - 1];
    diagonal[i] -= ratio * h[i - 1];
    right[i] -= ratio * right[i - 1];
  }
  right.back() /= diagonal.back();
  for (std::size_t i = n - 1; i-- > 0;) right[i] = (right[i] - h[i] * right[i + 1]) / diagonal[i];
}

/// Half-sixth second derivatives ("sigma") at the knots, from the divided differences of first
/// order: at inner knots the right-hand side is delta[i] - delta[i-1], and both ends are closed by
/// the third derivative of the four-point cubic. Operations are in the original's order, on which
/// the last bits depend, and on these the path of its annealing.
inline std::vector<double> solve_sigma(std::span<const double> x, const std::vector<double>& h,
                                       const std::vector<double>& delta) {
  const std::size_t n = x.size();
  std::vector<double> sigma(n);
  for (std::size_t i = 1; i + 1 < n; ++i) sigma[i] = delta[i] - delta[i - 1];
  if (n > 3) {
    const auto second = [&](std::size_t i) {
      return (delta[i] - delta[i - 1]) / (x[i + 1] - x[i - 1]);
    };
    sigma.front() = h.front() * h.front() * (second(2) - second(1)) / (x[3] - x[0]);
    sigma.back() = -h.back() * h.back() * (second(n - 2) - second(n - 3)) / (x[n - 1] - x[n - 4]);
  }
  solve_spline_system(h, sigma);
  return sigma;
}

/// Derivatives of sum(by_right * right-hand side of solve_sigma) by the divided differences.
inline std::vector<double> transposed_right_hand_side(std::span<const double> x,
                                                      const std::vector<double>& h,
                                                      const std::vector<double>& by_right) {
  const std::size_t n = x.size();
  std::vector<double> by_delta(n - 1);
  for (std::size_t i = 1; i + 1 < n; ++i) {
    by_delta[i] += by_right[i];
    by_delta[i - 1] -= by_right[i];
  }
  if (n < 4) return by_delta;
  // factor * divided difference of third order through knots i-1 to i+2
  const auto add_third = [&](std::size_t i, double factor) {
    const double third = factor / (x[i + 2] - x[i - 1]);
    const double left = third / (x[i + 1] - x[i - 1]);
    const double right = third / (x[i + 2] - x[i]);
    by_delta[i + 1] += right;
    by_delta[i] -= right + left;
    by_delta[i - 1] += left;
  };
  add_third(1, by_right.front() * h.front() * h.front());
  add_third(n - 3, -by_right.back() * h.back() * h.back());
  return by_delta;
}

/// The slope of the spline at its last knot is linear in the values at all knots: append its
/// derivatives by them, from the transposed system. For three or more knots.
inline void append_end_slope_weights(std::span<const double> x, std::vector<double>& weights) {
  const std::size_t n = x.size();
  std::vector<double> h(n - 1);
  for (std::size_t i = 0; i + 1 < n; ++i) h[i] = x[i + 1] - x[i];
  // slope = delta[n-2] + h[n-2] (sigma[n-2] + 2 sigma[n-1])
  std::vector<double> by_right(n);
  by_right[n - 2] = h.back();
  by_right[n - 1] = 2.0 * h.back();
  solve_spline_system(h, by_right);
  std::vector<double> by_delta = transposed_right_hand_side(x, h, by_right);
  by_delta.back() += 1.0;
  for (std::size_t i = 0; i < n; ++i) {
    const double as_right_end = i > 0 ? by_delta[i - 1] / h[i - 1] : 0.0;
    const double as_left_end = i + 1 < n ? by_delta[i] / h[i] : 0.0;
    weights.push_back(as_right_end - as_left_end);
  }
}

}  // namespace ceinms_torch::kernel
