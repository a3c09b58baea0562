/// The linearised residuals of a problem: Gauss-Newton matrix, Jacobian.

#include "ceinms_torch/calibration/problem.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ceinms_torch::calibration {

using kernel::ParameterKind;
using kernel::StepRange;

/// Give the joints their places in the rows of some steps.
void Problem::place_rows(const StepRange& steps) {
  const engine::Backend& backend = workspace_.layout().backend();
  for (DofEquations& dof : equations_) {
    dof.length = 0;
    for (const std::size_t i : dof.joints) {
      const StepRange own = within(joints_[i], steps);
      joints_[i].column =
          std::exchange(dof.length, dof.length + backend.in_whole_packs(own.end - own.first));
    }
    // No later window is longer than the first.
    if (steps.first > 0) continue;
    dof.stride = dof.length;
    const std::size_t size = (dof.components.size() + 1) * dof.stride;
    if (dof.rows.size() != size) dof.rows = engine::AlignedBuffer(size);
  }
}

/// Fill the rows of a joint after a forward pass with sensitivities through some steps.
void Problem::fill_rows(const Joint& joint, const StepRange& steps) {
  const engine::LaneLayout& layout = workspace_.layout();
  const std::size_t width = layout.backend().width;
  DofEquations& dof = equations_of(joint);
  const std::vector<std::size_t>& components = dof.components;
  const std::size_t n_step = steps.end - steps.first;
  double* rows = dof.rows.data() + joint.column;
  for (std::size_t i = 0; i <= components.size(); ++i)
    std::fill_n(rows + i * dof.stride, layout.backend().in_whole_packs(n_step), 0.0);
  for (std::size_t m = 0; m < joint.mtus.size(); ++m) {
    const std::size_t mtu = joint.mtus[m];
    const engine::Lane& lane = layout.lane(joint.trial, mtu);
    const double* arm = joint.moment_arm.data() + m * joint.error.size() + steps.first;
    for (const OwnParameter& own : own_[mtu]) {
      const auto place = std::lower_bound(components.begin(), components.end(), own.component) -
                         components.begin();
      double* row = rows + static_cast<std::size_t>(place) * dof.stride;
      double factor = -joint.scale * width_[own.component];
      const double* derivative = nullptr;  // of the force, at every `pitch`-th place
      std::size_t pitch = width;
      if (only_scales(own.kind)) {
        derivative = workspace_.trace(lane.block).mtu_force + steps.first * width + lane.place;
        factor /= parameter(own.kind, mtu);
      } else {
        pitch *= kinds_.size();
        derivative = workspace_.sensitivities(lane.block).mtu_force + column_of(own.kind) * width +
                     lane.place;
      }
      for (std::size_t k = 0; k < n_step; ++k) row[k] += factor * arm[k] * derivative[k * pitch];
    }
  }
  double* residual = rows + components.size() * dof.stride;
  for (std::size_t k = 0; k < n_step; ++k) residual[k] = joint.scale * joint.error[steps.first + k];
}

/// Go through all trials a window of steps at a time. When `after_block` is called, the block's
/// trace and sensitivities are there; when `after` is called, the rows of all joints.
void Problem::linearise(const double* x, const engine::Workspace::WindowBlockWork& after_block,
                        const engine::Workspace::WindowWork& after) {
  // The root and the norm are those of a whole trial, and weigh its first row already.
  if (has_peaks() || data_->objective.normalisation == kernel::Normalisation::rmse)
    evaluate(x);
  else
    set_point(x);
  for (Joint& joint : joints_) joint.scale = std::sqrt(error_weight(joint));
  workspace_.sensitivities(
      parameters_.data(), kinds_,
      [&](std::size_t block, const StepRange& steps) {
        add_up_penalties(block, steps);
        after_block(block, steps);
      },
      [&](const StepRange& steps) {
        place_rows(steps);
        workspace_.pool().run(joints_.size(), [&](std::size_t i, std::size_t) {
          Joint& joint = joints_[i];
          const StepRange own = within(joint, steps);
          if (own.first == own.end) return;
          if (joint.dof != no_dof) measure(joint, own);
          fill_rows(joint, own);
        });
        after(steps);
      });
  sum_up();
}

/// Add the products of the rows of some steps, step 0 first, to some of the sums of a DOF.
void Problem::add_products(const Band& band, const StepRange& steps) {
  DofEquations& dof = equations_[band.dof];
  const std::size_t n = dof.components.size() + 1;
  if (steps.first == 0)
    std::fill(dof.gram.data() + band.first * n, dof.gram.data() + band.end * n, 0.0);
  workspace_.layout().backend().dense->add_gram(dof.rows.data(), n, dof.stride, dof.length,
                                                band.first, band.end, dof.gram.data());
}

/// Twice the sums of a DOF. The residuals are the last row, so that products with it are the
/// gradient.
void Problem::add_dof_equations(const DofEquations& dof, double* gradient, double* matrix) const {
  const std::size_t n = dof.components.size();
  for (std::size_t i = 0; i < n; ++i) {
    const double* products = dof.gram.data() + i * (n + 1);
    double* row = matrix + dof.components[i] * n_component();
    gradient[dof.components[i]] += 2.0 * products[n];
    for (std::size_t j = i; j < n; ++j) row[dof.components[j]] += 2.0 * products[j];
  }
}

/// Calls row(lane, weight, distance, derivatives by the lane's own parameters) for every penalty
/// that is not zero at some steps.
template <class Row>
void Problem::penalty_rows(std::size_t block, const StepRange& steps, const Row& row) const {
  const std::size_t width = workspace_.layout().backend().width;
  const engine::LaneSensitivities by = workspace_.sensitivities(block);
  const double* length = workspace_.trace(block).fibre_length;
  std::array<double, kernel::n_parameter_kind> derivative;
  visit_penalties(
      block,
      [&](const engine::Lane& lane, std::size_t k, Term term, double weight, double distance,
          double slope) {
        const double lmo = parameter(ParameterKind::optimal_fibre_length, lane.mtu);
        const std::vector<OwnParameter>& own = own_[lane.mtu];
        for (std::size_t i = 0; i < own.size(); ++i) {
          double value = 0.0;
          if (!only_scales(own[i].kind)) {
            const std::size_t at =
                ((k - steps.first) * kinds_.size() + column_of(own[i].kind)) * width + lane.place;
            value = term == Term::tendon_strain ? by.tendon_strain[at] : by.fibre_length[at] / lmo;
          }
          if (term == Term::fibre_length && own[i].kind == ParameterKind::optimal_fibre_length)
            value -= length[k * width + lane.place] / (lmo * lmo);
          derivative[i] = slope * value * width_[own[i].component];
        }
        row(lane, weight, distance, derivative);
      },
      steps);
}

/// Add the products of a block's penalties at some steps, step 0 first, and their derivatives.
void Problem::add_penalty_products(std::size_t block, const StepRange& steps) {
  BlockPenalties& sums = penalties_[block];
  constexpr std::size_t n = kernel::n_parameter_kind;
  if (steps.first == 0) {
    sums.gradient.assign(workspace_.layout().lanes_of(block).size() * n, 0.0);
    sums.matrix.assign(sums.gradient.size() * n, 0.0);
  }
  penalty_rows(block, steps,
               [&](const engine::Lane& lane, double weight, double distance,
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
        if (own[j].component >= own[i].component)
          matrix[own[i].component * n_component() + own[j].component] +=
              sums.matrix[(lane.place * n + i) * n + j];
    }
  }
}

const Evaluation& Problem::normal_equations(const double* x, double* gradient, double* matrix) {
  for (DofEquations& dof : equations_)
    dof.gram.resize((dof.components.size() + 1) * (dof.components.size() + 1));
  linearise(
      x, [&](std::size_t block, const StepRange& steps) { add_penalty_products(block, steps); },
      [&](const StepRange& steps) {
        workspace_.pool().run(bands_.size(),
                              [&](std::size_t i, std::size_t) { add_products(bands_[i], steps); });
      });
  const std::size_t n = n_component();
  std::fill(gradient, gradient + n, 0.0);
  for (std::size_t i = 0; i < n; ++i) std::fill(matrix + i * n + i, matrix + (i + 1) * n, 0.0);
  for (const DofEquations& dof : equations_) add_dof_equations(dof, gradient, matrix);
  for (std::size_t block = 0; block < penalties_.size(); ++block)
    add_penalty_equations(block, gradient, matrix);
  linear_.add_gradient(gradient);
  linear_.add_matrix(matrix);
  return evaluation_;
}

void Problem::residuals(const double* x, std::vector<double>& residual,
                        std::vector<double>& jacobian) {
  const std::size_t n = n_component();
  std::size_t n_row = 0;
  for (const Joint& joint : joints_) n_row += joint.error.size();
  residual.assign(n_row, 0.0);
  jacobian.assign(n_row * n, 0.0);
  const auto take_joint = [&](const Joint& joint, const StepRange& steps, std::size_t first) {
    const DofEquations& dof = equations_of(joint);
    for (std::size_t k = steps.first; k < steps.end; ++k) {
      const double* row = dof.rows.data() + joint.column + k - steps.first;
      for (const std::size_t component : dof.components) {
        jacobian[(first + k) * n + component] = *row;
        row += dof.stride;
      }
      residual[first + k] = *row;
    }
  };
  const auto take_penalty = [&](const engine::Lane& lane, double weight, double distance,
                                const auto& derivative) {
    const double scale = std::sqrt(weight);
    residual.push_back(scale * distance);
    const std::size_t first = jacobian.size();
    jacobian.resize(first + n, 0.0);
    for (std::size_t i = 0; i < own_[lane.mtu].size(); ++i)
      jacobian[first + own_[lane.mtu][i].component] += scale * derivative[i];
  };
  linearise(
      x, [](std::size_t, const StepRange&) {},
      [&](const StepRange& steps) {
        std::size_t first = 0;
        for (const Joint& joint : joints_) {
          take_joint(joint, within(joint, steps), first);
          first += joint.error.size();
        }
        for (std::size_t block = 0; block < penalties_.size(); ++block)
          penalty_rows(block, steps, take_penalty);
      });
  linear_.append_rows(residual, jacobian);
}

}  // namespace ceinms_torch::calibration
