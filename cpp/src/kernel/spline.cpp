#include "ceinms_torch/kernel/spline.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace ceinms_torch::kernel {
namespace {

/// Half-sixth second derivatives ("sigma") at the knots, from the tridiagonal system
///   h[i-1] s[i-1] + 2 (h[i-1] + h[i]) s[i] + h[i] s[i+1] = delta[i] - delta[i-1]
/// closed at both ends by the third derivative of the four-point cubic.
std::vector<double> solve_sigma(std::span<const double> x, const std::vector<double>& h,
                                const std::vector<double>& delta) {
  const std::size_t n = x.size();
  std::vector<double> diagonal(n);
  std::vector<double> sigma(n);
  diagonal.front() = -h.front();
  diagonal.back() = -h.back();
  for (std::size_t i = 1; i + 1 < n; ++i) {
    diagonal[i] = 2.0 * (h[i - 1] + h[i]);
    sigma[i] = delta[i] - delta[i - 1];
  }
  if (n > 3) {
    // Divided differences of third order at either end.
    const auto second = [&](std::size_t i) {
      return (delta[i] - delta[i - 1]) / (x[i + 1] - x[i - 1]);
    };
    sigma.front() = h.front() * h.front() * (second(2) - second(1)) / (x[3] - x[0]);
    sigma.back() = -h.back() * h.back() * (second(n - 2) - second(n - 3)) / (x[n - 1] - x[n - 4]);
  }
  for (std::size_t i = 1; i < n; ++i) {
    const double ratio = h[i - 1] / diagonal[i - 1];
    diagonal[i] -= ratio * h[i - 1];
    sigma[i] -= ratio * sigma[i - 1];
  }
  sigma.back() /= diagonal.back();
  for (std::size_t i = n - 1; i-- > 0;) sigma[i] = (sigma[i] - h[i] * sigma[i + 1]) / diagonal[i];
  return sigma;
}

}  // namespace

CubicSpline::CubicSpline(std::span<const double> x, std::span<const double> y)
    : x_(x.begin(), x.end()), y_(y.begin(), y.end()) {
  const std::size_t n = x_.size();
  if (n < 2) return;
  std::vector<double> h(n - 1);
  std::vector<double> delta(n - 1);
  for (std::size_t i = 0; i + 1 < n; ++i) {
    h[i] = x_[i + 1] - x_[i];
    delta[i] = (y_[i + 1] - y_[i]) / h[i];
  }
  if (n == 2) {
    pieces_.push_back({x_[0], {y_[0], delta[0], 0.0, 0.0}});
    return;
  }
  const std::vector<double> sigma = solve_sigma(x_, h, delta);
  pieces_.reserve(n - 1);
  for (std::size_t i = 0; i + 1 < n; ++i) {
    const double slope = delta[i] - h[i] * (2.0 * sigma[i] + sigma[i + 1]);
    pieces_.push_back({x_[i], {y_[i], slope, 3.0 * sigma[i], (sigma[i + 1] - sigma[i]) / h[i]}});
  }
}

const CubicPiece& CubicSpline::piece_at(double x) const noexcept {
  const auto knot = std::lower_bound(x_.begin() + 1, x_.end() - 1, x);
  return pieces_[static_cast<std::size_t>(knot - x_.begin()) - 1];
}

double CubicSpline::value(double x) const noexcept {
  if (pieces_.empty() || x <= x_.front()) return y_.front();
  if (x >= x_.back()) return y_.back();
  return piece_at(x).value(x);
}

double CubicSpline::derivative(double x) const noexcept {
  if (pieces_.empty()) return 0.0;
  if (x <= x_.front()) return pieces_.front().slope(x_.front());
  if (x >= x_.back()) return pieces_.back().slope(x_.back());
  return piece_at(x).slope(x);
}

PiecewiseCubic CubicSpline::table(Ends ends) const {
  const bool linear = ends == Ends::linear && !pieces_.empty();
  const auto outside = [&](double x, double y) {
    return CubicPiece{x, {y, linear ? derivative(x) : 0.0, 0.0, 0.0}};
  };
  PiecewiseCubic result{x_, {outside(x_.front(), y_.front())}};
  result.pieces.insert(result.pieces.end(), pieces_.begin(), pieces_.end());
  result.pieces.push_back(outside(x_.back(), y_.back()));
  return result;
}

}  // namespace ceinms_torch::kernel
