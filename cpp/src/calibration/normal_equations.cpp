/// The linearised residuals of a problem: Gauss-Newton matrix, Jacobian.

#include "ceinms_torch/calibration/problem.hpp"

#include <algorithm>
#include <cmath>

namespace ceinms_torch::calibration {

using kernel::ParameterKind;

/// Derivatives of a joint's errors by its components, scaled: (n_components, stride), added to.
/// Needs a forward pass with sensitivities.
void Problem::fill_rows(const Joint& joint, double scale, std::size_t stride, double* rows) const {
  const engine::LaneLayout& layout = workspace_.layout();
  const std::size_t width = layout.backend().width;
  const std::size_t n_step = joint.error.size();
  for (std::size_t m = 0; m < joint.mtus.size(); ++m) {
    const std::size_t mtu = joint.mtus[m];
    const engine::Lane& lane = layout.lane(joint.trial, mtu);
    const double* arm = joint.moment_arm.data() + m * n_step;
    for (const OwnParameter& own : own_[mtu]) {
      const auto place =
          std::lower_bound(joint.components.begin(), joint.components.end(), own.component) -
          joint.components.begin();
      double* row = rows + static_cast<std::size_t>(place) * stride;
      double factor = -scale * width_[own.component];
      const double* derivative = nullptr;  // of the force, at every `pitch`-th place
      std::size_t pitch = width;
      if (only_scales(own.kind)) {
        derivative = workspace_.trace(lane.block).mtu_force + lane.place;
        factor /= parameter(own.kind, mtu);
      } else {
        pitch *= kinds_.size();
        derivative = workspace_.sensitivities(lane.block).mtu_force + column_of(own.kind) * width +
                     lane.place;
      }
      for (std::size_t k = 0; k < n_step; ++k) row[k] += factor * arm[k] * derivative[k * pitch];
    }
  }
}

/// The products of a joint's residuals and their derivatives.
void Problem::fill_joint_equations(Joint& joint) const {
  const engine::Backend& backend = workspace_.layout().backend();
  const std::size_t n = joint.components.size();
  const std::size_t n_step = joint.error.size();
  const std::size_t stride = (n_step + backend.width - 1) / backend.width * backend.width;
  const double scale = std::sqrt(2.0 * error_weight(joint));
  if (joint.rows.size() == 0) joint.rows = engine::AlignedBuffer((n + 1) * stride);
  double* rows = joint.rows.data();
  std::fill(rows, rows + n * stride, 0.0);
  fill_rows(joint, scale, stride, rows);
  // The residuals are one more row, so that the last row of products is the gradient.
  for (std::size_t k = 0; k < n_step; ++k) rows[n * stride + k] = scale * joint.error[k];
  joint.gram.resize((n + 1) * (n + 1));
  backend.lower_gram(rows, n + 1, stride, joint.gram.data());
}

void Problem::add_joint_equations(const Joint& joint, double* gradient, double* matrix) const {
  const std::size_t n = joint.components.size();
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t row = joint.components[i];
    gradient[row] += joint.gram[n * (n + 1) + i];
    for (std::size_t j = 0; j <= i; ++j)
      matrix[row * n_component() + joint.components[j]] += joint.gram[i * (n + 1) + j];
  }
}

/// Calls row(lane, weight, distance, derivatives by the lane's own parameters) for every penalty
/// that is not zero.
template <class Row>
void Problem::penalty_rows(std::size_t block, const Row& row) const {
  const std::size_t width = workspace_.layout().backend().width;
  const engine::LaneSensitivities by = workspace_.sensitivities(block);
  const double* length = workspace_.trace(block).fibre_length;
  std::array<double, kernel::n_parameter_kind> derivative;
  visit_penalties(block, [&](const engine::Lane& lane, std::size_t k, Term term, double weight,
                             double distance, double slope) {
    const double lmo = parameter(ParameterKind::optimal_fibre_length, lane.mtu);
    const std::vector<OwnParameter>& own = own_[lane.mtu];
    for (std::size_t i = 0; i < own.size(); ++i) {
      double value = 0.0;
      if (!only_scales(own[i].kind)) {
        const std::size_t at = (k * kinds_.size() + column_of(own[i].kind)) * width + lane.place;
        value = term == Term::tendon_strain ? by.tendon_strain[at] : by.fibre_length[at] / lmo;
      }
      if (term == Term::fibre_length && own[i].kind == ParameterKind::optimal_fibre_length)
        value -= length[k * width + lane.place] / (lmo * lmo);
      derivative[i] = slope * value * width_[own[i].component];
    }
    row(lane, weight, distance, derivative);
  });
}

/// The products of a block's penalties and their derivatives.
void Problem::fill_penalty_equations(std::size_t block) {
  BlockPenalties& sums = penalties_[block];
  const std::vector<engine::Lane>& lanes = workspace_.layout().lanes_of(block);
  constexpr std::size_t n = kernel::n_parameter_kind;
  sums.gradient.assign(lanes.size() * n, 0.0);
  sums.matrix.assign(lanes.size() * n * n, 0.0);
  penalty_rows(block, [&](const engine::Lane& lane, double weight, double distance,
                          const std::array<double, n>& derivative) {
    const std::size_t n_own = own_[lane.mtu].size();
    for (std::size_t i = 0; i < n_own; ++i) {
      const double weighted = 2.0 * weight * derivative[i];
      sums.gradient[lane.place * n + i] += weighted * distance;
      for (std::size_t j = 0; j < n_own; ++j)
        sums.matrix[(lane.place * n + i) * n + j] += weighted * derivative[j];
    }
  });
}

void Problem::add_penalty_equations(std::size_t block, double* gradient, double* matrix) const {
  const BlockPenalties& sums = penalties_[block];
  if (sums.fibre_length == 0.0 && sums.tendon_strain == 0.0) return;
  constexpr std::size_t n = kernel::n_parameter_kind;
  for (const engine::Lane& lane : workspace_.layout().lanes_of(block)) {
    const std::vector<OwnParameter>& own = own_[lane.mtu];
    for (std::size_t i = 0; i < own.size(); ++i) {
      gradient[own[i].component] += sums.gradient[lane.place * n + i];
      for (std::size_t j = 0; j < own.size(); ++j)
        if (own[j].component <= own[i].component)
          matrix[own[i].component * n_component() + own[j].component] +=
              sums.matrix[(lane.place * n + i) * n + j];
    }
  }
}

const Evaluation& Problem::normal_equations(const double* x, double* gradient, double* matrix) {
  set_point(x);
  workspace_.forward(parameters_.data(), kinds_, [&](std::size_t block) {
    add_up_penalties(block);
    fill_penalty_equations(block);
  });
  workspace_.pool().run(joints_.size(), [&](std::size_t i, std::size_t) {
    measure(joints_[i]);
    fill_joint_equations(joints_[i]);
  });
  sum_up();
  const std::size_t n = n_component();
  std::fill(gradient, gradient + n, 0.0);
  std::fill(matrix, matrix + n * n, 0.0);
  for (const Joint& joint : joints_) add_joint_equations(joint, gradient, matrix);
  for (std::size_t block = 0; block < penalties_.size(); ++block)
    add_penalty_equations(block, gradient, matrix);
  linear_.add_gradient(gradient);
  linear_.add_matrix(matrix);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < i; ++j) matrix[j * n + i] = matrix[i * n + j];
  return evaluation_;
}

void Problem::residuals(const double* x, std::vector<double>& residual,
                        std::vector<double>& jacobian) {
  set_point(x);
  workspace_.forward(parameters_.data(), kinds_,
                     [&](std::size_t block) { add_up_penalties(block); });
  workspace_.pool().run(joints_.size(), [&](std::size_t i, std::size_t) { measure(joints_[i]); });
  sum_up();
  const std::size_t n = n_component();
  residual.clear();
  jacobian.clear();
  for (const Joint& joint : joints_) {
    const std::size_t n_step = joint.error.size();
    const double scale = std::sqrt(error_weight(joint));
    std::vector<double> rows(joint.components.size() * n_step);
    fill_rows(joint, scale, n_step, rows.data());
    const std::size_t first = jacobian.size();
    jacobian.resize(first + n_step * n, 0.0);
    for (std::size_t k = 0; k < n_step; ++k) {
      residual.push_back(scale * joint.error[k]);
      for (std::size_t i = 0; i < joint.components.size(); ++i)
        jacobian[first + k * n + joint.components[i]] = rows[i * n_step + k];
    }
  }
  for (std::size_t block = 0; block < penalties_.size(); ++block)
    penalty_rows(block, [&](const engine::Lane& lane, double weight, double distance,
                            const auto& derivative) {
      const double scale = std::sqrt(weight);
      residual.push_back(scale * distance);
      const std::size_t first = jacobian.size();
      jacobian.resize(first + n, 0.0);
      for (std::size_t i = 0; i < own_[lane.mtu].size(); ++i)
        jacobian[first + own_[lane.mtu][i].component] += scale * derivative[i];
    });
  linear_.append_rows(residual, jacobian);
}

}  // namespace ceinms_torch::calibration
