/// The linearised residuals of a problem: Gauss-Newton matrix, Jacobian.

#include "ceinms_torch/calibration/problem.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ceinms_torch::calibration {

using kernel::ParameterKind;
using kernel::StepRange;

/// Give the sums their places in the rows of some steps.
void Problem::place_rows(const StepRange& steps) {
  const engine::Backend& backend = workspace_.layout().backend();
  for (Group& group : groups_) {
    group.length = 0;
    for (const std::size_t i : group.sums) {
      const StepRange own = within(sums_[i], steps);
      sums_[i].column =
          std::exchange(group.length, group.length + backend.in_whole_packs(own.end - own.first));
    }
    // No later window is longer than the first.
    if (steps.first > 0) continue;
    group.stride = group.length;
    const std::size_t size = (group.components.size() + 1) * group.stride;
    if (group.rows.size() != size) group.rows = engine::AlignedBuffer(size);
  }
}

/// Fill the rows of a sum after a forward pass with sensitivities through some steps.
void Problem::fill_rows(SummedForces& sum, const StepRange& steps) {
  const engine::LaneLayout& layout = workspace_.layout();
  const std::size_t width = layout.backend().width;
  Group& group = groups_[sum.group];
  const std::vector<std::size_t>& components = group.components;
  const std::size_t n_step = steps.end - steps.first;
  double* scale = sum.scale.data() + steps.first;
  for (std::size_t k = 0; k < n_step; ++k) scale[k] = std::sqrt(sum.weight[steps.first + k]);
  double* rows = group.rows.data() + sum.column;
  for (std::size_t i = 0; i <= components.size(); ++i)
    std::fill_n(rows + i * group.stride, layout.backend().in_whole_packs(n_step), 0.0);
  for (std::size_t m = 0; m < sum.mtus.size(); ++m) {
    const std::size_t mtu = sum.mtus[m];
    const engine::Lane& lane = layout.lane(sum.trial, mtu);
    const double* arm = sum.arm.data() + m * sum.error.size() + steps.first;
    double* scaled = sum.scaled_arm.data() + steps.first;
    for (std::size_t k = 0; k < n_step; ++k) scaled[k] = scale[k] * arm[k];
    for (const OwnParameter& own : own_[mtu]) {
      const auto place = std::lower_bound(components.begin(), components.end(), own.component) -
                         components.begin();
      double* row = rows + static_cast<std::size_t>(place) * group.stride;
      double factor = -data_->map.width(own.component);
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
      for (std::size_t k = 0; k < n_step; ++k) row[k] += factor * scaled[k] * derivative[k * pitch];
    }
  }
  double* residual = rows + components.size() * group.stride;
  for (std::size_t k = 0; k < n_step; ++k) residual[k] = scale[k] * sum.error[steps.first + k];
}

/// Go through all trials a window of steps at a time. When `after_block` is called, the block's
/// trace and sensitivities are there; when `after` is called, the rows of all sums.
void Problem::linearise(const double* x, const engine::Workspace::WindowBlockWork& after_block,
                        const engine::Workspace::WindowWork& after) {
  if (is_weighed_first_)
    evaluate(x);
  else
    set_point(x);
  workspace_.sensitivities(
      parameters_.data(), kinds_, quantities_,
      [&](std::size_t block, const StepRange& steps) {
        add_up(block, steps);
        after_block(block, steps);
      },
      [&](const StepRange& steps) {
        place_rows(steps);
        workspace_.pool().run(sums_.size(), [&](std::size_t i, std::size_t) {
          const StepRange own = within(sums_[i], steps);
          if (own.first == own.end) return;
          measure(sums_[i], own);
          if (own.end == sums_[i].error.size()) weigh(sums_[i]);
          fill_rows(sums_[i], own);
        });
        after(steps);
      });
  sum_up();
}

/// Add the products of the rows of some steps, step 0 first, to some of those of a group.
void Problem::add_products(const Band& band, const StepRange& steps) {
  Group& group = groups_[band.group];
  const std::size_t n = group.components.size() + 1;
  if (steps.first == 0)
    std::fill(group.gram.data() + band.first * n, group.gram.data() + band.end * n, 0.0);
  workspace_.layout().backend().dense->add_gram(group.rows.data(), n, group.stride, group.length,
                                                band.first, band.end, group.gram.data());
}

/// Twice the products of a group. The residuals are the last row, so that products with it are the
/// gradient.
void Problem::add_group_equations(const Group& group, double* gradient, double* matrix) const {
  const std::size_t n = group.components.size();
  for (std::size_t i = 0; i < n; ++i) {
    const double* products = group.gram.data() + i * (n + 1);
    double* row = matrix + group.components[i] * n_component();
    gradient[group.components[i]] += 2.0 * products[n];
    for (std::size_t j = i; j < n; ++j) row[group.components[j]] += 2.0 * products[j];
  }
}

/// Calls row(residual, derivatives by the lane's own parameters) for every residual of a block's
/// trajectories that is not zero at some steps.
template <class Row>
void Problem::block_rows(std::size_t block, const StepRange& steps, const Row& row) const {
  const std::size_t width = workspace_.layout().backend().width;
  const engine::LaneSensitivities by = workspace_.sensitivities(block);
  if (blocks_[block].values == Values{}) return;
  std::array<double, kernel::n_parameter_kind> derivative;
  visit_residuals(block, steps, [&](const Residual& residual) {
    const terms::Observable& observes = residual.observes;
    const std::size_t at = (residual.step - steps.first) * kinds_.size();
    const std::vector<OwnParameter>& own = own_[residual.lane.mtu];
    for (std::size_t i = 0; i < own.size(); ++i) {
      double by_own = 0.0;
      if (!only_scales(own[i].kind))
        by_own =
            by[observes.quantity][(at + column_of(own[i].kind)) * width + residual.lane.place] *
            residual.per_unit;
      for (std::size_t j = 0; j < observes.n_over; ++j)
        if (observes.over[j] == own[i].kind)
          by_own -= residual.x / parameter(own[i].kind, residual.lane.mtu);
      derivative[i] = residual.slope * by_own * data_->map.width(own[i].component);
    }
    row(residual, derivative);
  });
}

/// Add the products of a block's residuals at some steps, step 0 first, and their derivatives.
void Problem::add_block_products(std::size_t block, const StepRange& steps) {
  BlockTerms& sums = blocks_[block];
  constexpr std::size_t n = kernel::n_parameter_kind;
  if (steps.first == 0) {
    sums.gradient.assign(workspace_.layout().lanes_of(block).size() * n, 0.0);
    sums.matrix.assign(sums.gradient.size() * n, 0.0);
  }
  block_rows(block, steps, [&](const Residual& residual, const std::array<double, n>& derivative) {
    const std::size_t place = residual.lane.place;
    const std::size_t n_own = own_[residual.lane.mtu].size();
    for (std::size_t i = 0; i < n_own; ++i) {
      const double weighted = 2.0 * residual.weight * derivative[i];
      sums.gradient[place * n + i] += weighted * residual.value;
      for (std::size_t j = 0; j < n_own; ++j)
        sums.matrix[(place * n + i) * n + j] += weighted * derivative[j];
    }
  });
}

void Problem::add_block_equations(std::size_t block, double* gradient, double* matrix) const {
  const BlockTerms& sums = blocks_[block];
  if (sums.values == Values{}) return;
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
  for (Group& group : groups_)
    group.gram.resize((group.components.size() + 1) * (group.components.size() + 1));
  linearise(
      x, [&](std::size_t block, const StepRange& steps) { add_block_products(block, steps); },
      [&](const StepRange& steps) {
        workspace_.pool().run(bands_.size(),
                              [&](std::size_t i, std::size_t) { add_products(bands_[i], steps); });
      });
  const std::size_t n = n_component();
  std::fill(gradient, gradient + n, 0.0);
  for (std::size_t i = 0; i < n; ++i) std::fill(matrix + i * n + i, matrix + (i + 1) * n, 0.0);
  for (const Group& group : groups_) add_group_equations(group, gradient, matrix);
  for (std::size_t block = 0; block < blocks_.size(); ++block)
    add_block_equations(block, gradient, matrix);
  linear_.add_gradient(gradient);
  linear_.add_matrix(matrix);
  return evaluation_;
}

void Problem::residuals(const double* x, std::vector<double>& residual,
                        std::vector<double>& jacobian) {
  const std::size_t n = n_component();
  std::size_t n_row = 0;
  for (const SummedForces& sum : sums_) n_row += sum.error.size();
  residual.assign(n_row, 0.0);
  jacobian.assign(n_row * n, 0.0);
  const auto take_sum = [&](const SummedForces& sum, const StepRange& steps, std::size_t first) {
    const Group& group = groups_[sum.group];
    for (std::size_t k = steps.first; k < steps.end; ++k) {
      const double* row = group.rows.data() + sum.column + k - steps.first;
      for (const std::size_t component : group.components) {
        jacobian[(first + k) * n + component] = *row;
        row += group.stride;
      }
      residual[first + k] = *row;
    }
  };
  const auto take_one = [&](const Residual& one, const auto& derivative) {
    const double scale = std::sqrt(one.weight);
    residual.push_back(scale * one.value);
    const std::size_t first = jacobian.size();
    jacobian.resize(first + n, 0.0);
    for (std::size_t i = 0; i < own_[one.lane.mtu].size(); ++i)
      jacobian[first + own_[one.lane.mtu][i].component] += scale * derivative[i];
  };
  linearise(
      x, [](std::size_t, const StepRange&) {},
      [&](const StepRange& steps) {
        std::size_t first = 0;
        for (const SummedForces& sum : sums_) {
          take_sum(sum, within(sum, steps), first);
          first += sum.error.size();
        }
        for (std::size_t block = 0; block < blocks_.size(); ++block)
          block_rows(block, steps, take_one);
      });
  linear_.append_rows(residual, jacobian);
}

}  // namespace ceinms_torch::calibration
