#include "ceinms_torch/kernel/spline.hpp"

#include "ceinms_torch/kernel/spline_system.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace ceinms_torch::kernel {
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
