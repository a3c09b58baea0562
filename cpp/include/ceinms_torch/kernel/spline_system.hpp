/// @file spline_system.hpp
/// The system of equations behind CubicSpline, on any number type for the values.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace ceinms_torch::kernel {

/// Half-sixth second derivatives ("sigma") at the knots, from the tridiagonal system
///   h[i-1] s[i-1] + 2 (h[i-1] + h[i]) s[i] + h[i] s[i+1] = delta[i] - delta[i-1]
/// closed at both ends by the third derivative of the four-point cubic.
///
/// @param delta divided differences of first order, of any number type
template <class T>
std::vector<T> solve_sigma(std::span<const double> x, const std::vector<double>& h,
                           const std::vector<T>& delta) {
  const std::size_t n = x.size();
  std::vector<double> diagonal(n);
  std::vector<T> sigma(n);
  diagonal.front() = -h.front();
  diagonal.back() = -h.back();
  for (std::size_t i = 1; i + 1 < n; ++i) {
    diagonal[i] = 2.0 * (h[i - 1] + h[i]);
    sigma[i] = delta[i] - delta[i - 1];
  }
  if (n > 3) {
    // Divided differences of third order at either end.
    const auto second = [&](std::size_t i) {
      return T((delta[i] - delta[i - 1]) / (x[i + 1] - x[i - 1]));
    };
    sigma.front() = h.front() * h.front() * (second(2) - second(1)) / (x[3] - x[0]);
    sigma.back() = -h.back() * h.back() * (second(n - 2) - second(n - 3)) / (x[n - 1] - x[n - 4]);
  }
  for (std::size_t i = 1; i < n; ++i) {
    const double ratio = h[i - 1] / diagonal[i - 1];
    diagonal[i] -= ratio * h[i - 1];
    sigma[i] = sigma[i] - ratio * sigma[i - 1];
  }
  sigma.back() = sigma.back() / diagonal.back();
  for (std::size_t i = n - 1; i-- > 0;) sigma[i] = (sigma[i] - h[i] * sigma[i + 1]) / diagonal[i];
  return sigma;
}

/// Slope at the last knot of the spline through (x, y), for three or more knots.
template <class T>
T slope_at_end(std::span<const double> x, std::span<const T> y) {
  const std::size_t n = x.size();
  std::vector<double> h(n - 1);
  std::vector<T> delta(n - 1);
  for (std::size_t i = 0; i + 1 < n; ++i) {
    h[i] = x[i + 1] - x[i];
    delta[i] = (y[i + 1] - y[i]) / h[i];
  }
  const std::vector<T> sigma = solve_sigma(x, h, delta);
  return delta.back() + h.back() * (sigma[n - 2] + 2.0 * sigma[n - 1]);
}

}  // namespace ceinms_torch::kernel
