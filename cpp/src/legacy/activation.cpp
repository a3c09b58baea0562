#include "ceinms_torch/legacy/activation.hpp"

#include <cmath>
#include <limits>

namespace ceinms_torch::legacy {

PiecewiseActivation::PiecewiseActivation(double shape_factor)
    : scale_(std::numeric_limits<double>::quiet_NaN()), rate_(scale_) {
  constexpr double centre = 0.3085;  // Manal & Buchanan (2003), J Biomech 36:1197-1202
  constexpr double diagonal = 0.7071;
  constexpr int max_iterations = 1000;
  constexpr double converged = 1e-4;
  node_ = centre - diagonal * shape_factor;
  const double height = centre + diagonal * shape_factor;
  slope_ = (1.0 - height) / (1.0 - node_);
  intercept_ = height - slope_ * node_;
  // The slopes of both parts are made equal by Newton's method. The original keeps the iterate
  // before the last, so the slopes differ by its tolerance; the values at the node are equal.
  double scale = 0.05;
  for (int i = 0; i < max_iterations; ++i) {
    const double exponential = std::exp(height / scale);
    const double rate = (exponential - 1.0) / node_;
    const double f = slope_ - scale * rate / (rate * node_ + 1.0);
    const double derivative = (1.0 / node_) * (-1.0 + (1.0 + height / scale) / exponential);
    const double next = scale - f / derivative;
    if (std::abs(next - scale) < converged) {
      scale_ = scale;
      rate_ = rate;
      return;
    }
    scale = next;
  }
}

std::pair<double, double> PiecewiseActivation::value_and_slope(double u) const noexcept {
  if (u >= node_) return {slope_ * u + intercept_, slope_};
  const double argument = rate_ * u + 1.0;
  if (argument <= 0.0) return {0.0, 0.0};
  return {scale_ * std::log(argument), scale_ * rate_ / argument};
}

}  // namespace ceinms_torch::legacy
