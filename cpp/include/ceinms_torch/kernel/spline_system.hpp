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

/// The system's right-hand side as a function of the divided differences of first order, delta:
/// calls add(row, i, factor) for every product factor * delta[i] in a row. Inner rows are
/// delta[i] - delta[i-1]; the ends are closed by the third derivative of the four-point cubic.
template <class Add>
void visit_right_hand_side(std::span<const double> x, const std::vector<double>& h,
                           const Add& add) {
  const std::size_t n = x.size();
  for (std::size_t i = 1; i + 1 < n; ++i) {
    add(i, i, 1.0);
    add(i, i - 1, -1.0);
  }
  if (n < 4) return;
  // factor * divided difference of third order through knots i-1 to i+2
  const auto add_third = [&](std::size_t row, std::size_t i, double factor) {
    const double third = factor / (x[i + 2] - x[i - 1]);
    const double left = third / (x[i + 1] - x[i - 1]);
    const double right = third / (x[i + 2] - x[i]);
    add(row, i + 1, right);
    add(row, i, -right - left);
    add(row, i - 1, left);
  };
  add_third(0, 1, h.front() * h.front());
  add_third(n - 1, n - 3, -h.back() * h.back());
}

/// Half-sixth second derivatives ("sigma") at the knots, from the divided differences of first
/// order.
inline std::vector<double> solve_sigma(std::span<const double> x, const std::vector<double>& h,
                                       const std::vector<double>& delta) {
  std::vector<double> sigma(x.size());
  visit_right_hand_side(x, h, [&](std::size_t row, std::size_t i, double factor) {
    sigma[row] += factor * delta[i];
  });
  solve_spline_system(h, sigma);
  return sigma;
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
  std::vector<double> by_delta(n - 1);
  by_delta.back() = 1.0;
  visit_right_hand_side(x, h, [&](std::size_t row, std::size_t i, double factor) {
    by_delta[i] += factor * by_right[row];
  });
  for (std::size_t i = 0; i < n; ++i) {
    const double as_right_end = i > 0 ? by_delta[i - 1] / h[i - 1] : 0.0;
    const double as_left_end = i + 1 < n ? by_delta[i] / h[i] : 0.0;
    weights.push_back(as_right_end - as_left_end);
  }
}

}  // namespace ceinms_torch::kernel
