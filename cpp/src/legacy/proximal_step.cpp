#include "ceinms_torch/legacy/proximal_step.hpp"

#include <algorithm>
#include <cmath>

namespace ceinms_torch::legacy {

ProximalStep::ProximalStep(std::size_t n, std::size_t n_row)
    : x(n),
      diagonal(n, 1.0),
      linear(n),
      weight(n),
      kink(n),
      residual(n_row),
      jacobian(n_row * n),
      n_(n),
      n_row_(n_row),
      inverse_(n),
      y_(n),
      pull_(n),
      moved_(n),
      free_inverse_(n),
      multiplier_(n_row),
      trial_(n_row),
      gradient_(n_row),
      step_(n_row),
      matrix_(n_row * n_row) {}

double ProximalStep::solve() {
  constexpr int max_iterations = 100;
  if (!(alpha > 0.0)) std::fill(multiplier_.begin(), multiplier_.end(), 0.0);
  for (std::size_t i = 0; i < n_; ++i) inverse_[i] = 1.0 / diagonal[i];
  double value = respond(multiplier_);  // from where the last step ended
  for (int i = 0; alpha > 0.0 && i < max_iterations; ++i) {
    linearise();
    if (!solve_newton()) break;
    double slope = 0.0;
    for (std::size_t d = 0; d < n_row_; ++d) slope += gradient_[d] * step_[d];
    // To rounding, the dual rises no more.
    if (!(slope > 1e-14 * std::abs(value))) break;
    const double next = search_along(value, slope);
    if (!(next > value)) {
      respond(multiplier_);
      break;
    }
    multiplier_.swap(trial_);
    value = next;
  }
  const double gain = primal(x) - primal(y_);
  if (!std::isfinite(gain)) std::fill(multiplier_.begin(), multiplier_.end(), 0.0);
  return gain;
}

double ProximalStep::search_along(double value_at_start, double slope_at_start) {
  // The slope falls along the step, in pieces that are straight. At the full step it is zero,
  // unless an excitation has met a bound or left its kink on the way.
  constexpr int max_iterations = 50;
  constexpr double small = 0.4;
  double low = 0.0;
  double high = 1.0;
  double slope_low = slope_at_start;
  double slope_high = 0.0;
  double value = 0.0;
  double length = 1.0;
  for (int i = 0; i < max_iterations; ++i) {
    for (std::size_t d = 0; d < n_row_; ++d) trial_[d] = multiplier_[d] + length * step_[d];
    value = respond(trial_);
    double slope = 0.0;
    for (std::size_t d = 0; d < n_row_; ++d) slope += step_[d] * gradient_[d];
    if (!(std::abs(slope) > small * slope_at_start) && !(value < value_at_start)) break;
    if (slope > 0.0) {
      if (length == high) break;  // still rising at the full step
      low = length;
      slope_low = slope;
    } else {
      high = length;
      slope_high = slope;
    }
    // A secant, and every other time the middle, so that neither end stays for ever.
    const double secant = low + (high - low) * slope_low / (slope_low - slope_high);
    length = i % 2 == 0 ? secant : 0.5 * (low + high);
  }
  return value;
}

double ProximalStep::respond(const std::vector<double>& multiplier) {
  // Loops without branches over the variables, for the compiler to vectorise.
  const double by_multiplier = alpha > 0.0 ? 0.5 / alpha : 0.0;
  double value = 0.0;
  for (std::size_t i = 0; i < n_; ++i) pull_[i] = -linear[i];
  for (std::size_t d = 0; d < n_row_; ++d) {
    const double* row = jacobian.data() + d * n_;
    value += multiplier[d] * (residual[d] - 0.5 * by_multiplier * multiplier[d]);
    for (std::size_t i = 0; i < n_; ++i) pull_[i] += row[i] * multiplier[d];
  }
  for (std::size_t i = 0; i < n_; ++i) {
    const double from_kink = x[i] + pull_[i] * inverse_[i] - kink[i];
    const double over = std::abs(from_kink) - weight[i] * inverse_[i];
    const double free = kink[i] + std::copysign(std::max(over, 0.0), from_kink);
    y_[i] = std::min(std::max(free, 0.0), 1.0);
    moved_[i] = y_[i] - x[i];
    const bool is_free = (free == y_[i]) & ((over > 0.0) | (weight[i] == 0.0));
    free_inverse_[i] = is_free ? inverse_[i] : 0.0;
  }
  for (std::size_t i = 0; i < n_; ++i)
    value += (0.5 * diagonal[i] * moved_[i] - pull_[i]) * moved_[i] +
             weight[i] * std::abs(y_[i] - kink[i]);
  for (std::size_t d = 0; d < n_row_; ++d) {
    const double* row = jacobian.data() + d * n_;
    double sum = 0.0;
    for (std::size_t i = 0; i < n_; ++i) sum += row[i] * moved_[i];
    gradient_[d] = residual[d] - by_multiplier * multiplier[d] - sum;
  }
  return value;
}

void ProximalStep::linearise() {
  for (std::size_t d = 0; d < n_row_; ++d) {
    const double* row = jacobian.data() + d * n_;
    for (std::size_t c = 0; c <= d; ++c) {
      const double* other = jacobian.data() + c * n_;
      double sum = c == d ? 0.5 / alpha : 0.0;
      for (std::size_t i = 0; i < n_; ++i) sum += row[i] * other[i] * free_inverse_[i];
      matrix_[d * n_row_ + c] = sum;
    }
  }
}

bool ProximalStep::solve_newton() {
  for (std::size_t d = 0; d < n_row_; ++d) {  // Cholesky factor, then forward substitution
    double* row = matrix_.data() + d * n_row_;
    for (std::size_t c = 0; c < d; ++c) {
      for (std::size_t k = 0; k < c; ++k) row[c] -= row[k] * matrix_[c * n_row_ + k];
      row[c] /= matrix_[c * n_row_ + c];
    }
    step_[d] = gradient_[d];
    for (std::size_t k = 0; k < d; ++k) {
      row[d] -= row[k] * row[k];
      step_[d] -= row[k] * step_[k];
    }
    if (!(row[d] > 0.0)) return false;
    row[d] = std::sqrt(row[d]);
    step_[d] /= row[d];
  }
  for (std::size_t d = n_row_; d-- > 0;) {
    for (std::size_t k = d + 1; k < n_row_; ++k) step_[d] -= matrix_[k * n_row_ + d] * step_[k];
    step_[d] /= matrix_[d * n_row_ + d];
  }
  return true;
}

double ProximalStep::primal(const std::vector<double>& at) const noexcept {
  double sum = 0.0;
  for (std::size_t i = 0; i < n_; ++i) {
    const double moved = at[i] - x[i];
    sum += (0.5 * diagonal[i] * moved + linear[i]) * moved + weight[i] * std::abs(at[i] - kink[i]);
  }
  for (std::size_t d = 0; d < n_row_; ++d) {
    double left = residual[d];
    for (std::size_t i = 0; i < n_; ++i) left -= jacobian[d * n_ + i] * (at[i] - x[i]);
    sum += alpha * left * left;
  }
  return sum;
}

}  // namespace ceinms_torch::legacy
