#include "ceinms_torch/calibration/box_step.hpp"

#include <algorithm>

namespace ceinms_torch::calibration {
namespace {

/// With so many of the factored components fixed, another factor of the rest costs as much as what
/// their rows and the products of these do.
std::size_t most_fixed(std::size_t n_factored) {
  return n_factored / 4;
}

}  // namespace

BoxStep::BoxStep(const engine::Backend& backend, std::size_t n)
    : backend_(&backend),
      algebra_(backend.dense),
      n_(n),
      stride_(backend.in_whole_packs(n)),
      step_(n),
      product_(n),
      is_free_(n),
      factor_(n * stride_),
      border_((most_fixed(n) + 1) * stride_),
      solution_(stride_),
      products_((most_fixed(n) + 1) * (most_fixed(n) + 1)),
      force_(most_fixed(n)) {}

bool BoxStep::solve(const QuadraticModel& model, const std::vector<double>& damping) {
  for (std::size_t i = 0; i < n_; ++i) {
    const bool wants_out = (model.x[i] <= 0.0 && model.gradient[i] > 0.0) ||
                           (model.x[i] >= 1.0 && model.gradient[i] < 0.0);
    step_[i] = 0.0;
    is_free_[i] = !wants_out;
  }
  while (factor(model, damping)) {
    std::size_t n_bordered = 0;
    while (fixed_.size() <= most_fixed(factored_.size())) {
      border(n_bordered);
      n_bordered = fixed_.size();
      if (!move()) break;
      if (!fix_outside(model.x)) return true;
    }
  }
  return false;
}

/// Factor the matrix of the free components, none of them fixed yet.
bool BoxStep::factor(const QuadraticModel& model, const std::vector<double>& damping) {
  factored_.clear();
  fixed_.clear();
  for (std::size_t i = 0; i < n_; ++i)
    if (is_free_[i]) {
      factored_.push_back(i);
      step_[i] = 0.0;
    }
  const std::size_t n = factored_.size();
  double* downhill = border_.data();
  std::fill(downhill, downhill + stride_, 0.0);
  // step_ is that of the components that have been fixed so far.
  algebra_->multiply(model.matrix, n_, step_.data(), product_.data());
  for (std::size_t a = 0; a < n; ++a)
    downhill[a] = -model.gradient[factored_[a]] - product_[factored_[a]];
  for (std::size_t a = 0; a < n; ++a) {
    const double* from = model.matrix + factored_[a] * n_;
    double* row = factor_.data() + a * stride_;
    for (std::size_t b = a; b < n; ++b) row[b] = from[factored_[b]];
    row[a] += damping[factored_[a]];
  }
  if (!algebra_->factor(factor_.data(), n, stride_)) return false;
  algebra_->solve_transposed(factor_.data(), n, stride_, downhill, 1);
  return true;
}

/// Border the factor with the rows of what was fixed after the first n_bordered, in ascending
/// order.
void BoxStep::border(std::size_t n_bordered) {
  constexpr std::size_t together = 32;
  for (std::size_t first = n_bordered; first < fixed_.size(); first += together) {
    const std::size_t end = std::min(first + together, fixed_.size());
    double* rows = border_.data() + (1 + first) * stride_;
    std::fill(rows, rows + (end - first) * stride_, 0.0);
    for (std::size_t r = first; r < end; ++r) rows[(r - first) * stride_ + fixed_[r]] = 1.0;
    // Before its one a row stays zero.
    const std::size_t from = fixed_[first];
    algebra_->solve_transposed(factor_.data() + from * (stride_ + 1), factored_.size() - from,
                               stride_, rows + from, end - first);
  }
}

/// The minimum for the factored components with the fixed ones where they are, into solution_;
/// false if rounding forbids.
bool BoxStep::move() {
  const std::size_t n = factored_.size();
  const std::size_t n_row = fixed_.size() + 1;
  std::copy(border_.data(), border_.data() + stride_, solution_.data());
  if (n_row > 1) {
    std::fill(products_.data(), products_.data() + n_row * n_row, 0.0);
    algebra_->add_gram(border_.data(), n_row, stride_, backend_->in_whole_packs(n), 0, n_row,
                       products_.data());
    for (std::size_t i = 1; i < n_row; ++i)
      force_[i - 1] = step_[factored_[fixed_[i - 1]]] - products_[i];
    double* square = products_.data() + n_row + 1;
    if (!algebra_->factor(square, n_row - 1, n_row)) return false;
    algebra_->solve_transposed(square, n_row - 1, n_row, force_.data(), 1);
    algebra_->solve(square, n_row - 1, n_row, force_.data(), 1);
    for (std::size_t i = 1; i < n_row; ++i)
      for (std::size_t a = 0; a < n; ++a) solution_[a] += force_[i - 1] * border_[i * stride_ + a];
  }
  algebra_->solve(factor_.data(), n, stride_, solution_.data(), 1);
  return true;
}

/// Take the solution over, and fix what leaves the box; false if nothing does.
bool BoxStep::fix_outside(const double* x) {
  const std::size_t n_fixed = fixed_.size();
  for (std::size_t a = 0; a < factored_.size(); ++a) {
    const std::size_t i = factored_[a];
    if (!is_free_[i]) continue;
    const double target = x[i] + solution_[a];
    step_[i] = solution_[a];
    if (target >= 0.0 && target <= 1.0) continue;
    step_[i] = (target < 0.0 ? 0.0 : 1.0) - x[i];
    is_free_[i] = false;
    fixed_.push_back(a);
  }
  return fixed_.size() > n_fixed;
}

double BoxStep::fall(const QuadraticModel& model) {
  algebra_->multiply(model.matrix, n_, step_.data(), product_.data());
  double result = 0.0;
  for (std::size_t i = 0; i < n_; ++i) result -= step_[i] * (model.gradient[i] + 0.5 * product_[i]);
  return result;
}

}  // namespace ceinms_torch::calibration
