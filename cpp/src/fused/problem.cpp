#include "ceinms_torch/fused/problem.hpp"

#include "ceinms_torch/kernel/dual.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ceinms_torch::fused {
namespace {

using kernel::Normalisation;
using kernel::ParameterKind;

constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

/// Maximum isometric force and strength coefficient only scale the force.
bool only_scales(std::size_t kind) {
  const auto k = static_cast<ParameterKind>(kind);
  return k == ParameterKind::max_isometric_force || k == ParameterKind::strength_coefficient;
}

}  // namespace

Problem::Problem(const Backend& backend, const std::vector<kernel::TrialInput>& trials,
                 std::shared_ptr<const CurveTables> curves, ProblemData data, std::size_t n_thread)
    : data_(std::make_shared<const ProblemData>(std::move(data))),
      workspace_(LaneLayout(backend, trials), std::move(curves), data_->simulation, n_thread),
      sizes_{static_cast<double>(data_->dofs.size()), static_cast<double>(trials.size())},
      own_(workspace_.layout().n_mtu()),
      column_of_(kernel::n_parameter_kind, none),
      parameters_(data_->map.start),
      matrix_gradient_(data_->map.start.size()) {
  const ParameterMap& map = data_->map;
  const std::size_t n_mtu = workspace_.layout().n_mtu();
  for (std::size_t i = 0; i < map.n_component(); ++i) width_.push_back(map.upper[i] - map.lower[i]);
  for (std::size_t i = 0; i < map.slot.size(); ++i) {
    const std::size_t kind = map.slot[i] / n_mtu;
    own_[map.slot[i] % n_mtu].push_back({kind, map.component[i]});
    if (only_scales(kind) || column_of_[kind] != none) continue;
    column_of_[kind] = kinds_.size();
    kinds_.push_back(static_cast<ParameterKind>(kind));
  }
  add_joints(trials);
  evaluation_.terms.resize(term_names().size());
  evaluation_.rmse.resize(data_->dofs.size());
}

void Problem::add_joints(const std::vector<kernel::TrialInput>& trials) {
  for (std::size_t t = 0; t < trials.size(); ++t) {
    const kernel::TrialInput& trial = trials[t];
    const std::size_t n_step = trial.n_step;
    for (std::size_t d = 0; d < data_->dofs.size(); ++d) {
      const std::size_t dof = data_->dofs[d];
      Joint joint{};
      joint.trial = t;
      joint.dof = d;
      joint.weight =
          kernel::moment_weight(data_->objective.normalisation, sizes_, static_cast<double>(n_step),
                                data_->measured[t].variance[dof]);
      joint.error.resize(n_step);
      for (std::size_t k = 0; k < n_step; ++k)
        joint.measured.push_back(data_->measured[t].moment[k * trial.n_dof + dof]);
      for (std::size_t mtu = 0; mtu < trial.n_mtu; ++mtu) {
        const auto arm = [&](std::size_t k) {
          return trial.moment_arm[(k * trial.n_dof + dof) * trial.n_mtu + mtu];
        };
        bool acts = false;
        for (std::size_t k = 0; k < n_step; ++k) acts |= arm(k) != 0.0;
        if (!acts) continue;
        joint.mtus.push_back(mtu);
        for (std::size_t k = 0; k < n_step; ++k) joint.moment_arm.push_back(arm(k));
        for (const OwnParameter& own : own_[mtu]) joint.components.push_back(own.component);
      }
      std::sort(joint.components.begin(), joint.components.end());
      joint.components.erase(std::unique(joint.components.begin(), joint.components.end()),
                             joint.components.end());
      joints_.push_back(std::move(joint));
    }
  }
  rows_.resize(joints_.size());
  gram_.resize(joints_.size());
}

std::vector<std::string> Problem::term_names() const {
  std::vector<std::string> names{"moment", "fibre_length"};
  if (data_->simulation.tendon != kernel::TendonModel::stiff) names.emplace_back("tendon_strain");
  return names;
}

void Problem::set_parameters(const double* x) {
  const ParameterMap& map = data_->map;
  for (std::size_t i = 0; i < map.slot.size(); ++i) {
    const std::size_t c = map.component[i];
    parameters_[map.slot[i]] = map.lower[c] + x[c] * width_[c];
  }
}

double Problem::moment_term(const Joint& joint) const {
  const double value = joint.weight * joint.square_sum;
  if (data_->objective.normalisation != Normalisation::rmse) return value;
  return std::sqrt(value + 1e-24) / sizes_.n_trial;
}

/// d(moment term) / d(square_sum).
double Problem::error_weight(const Joint& joint) const {
  if (data_->objective.normalisation != Normalisation::rmse) return joint.weight;
  return joint.weight / (2.0 * std::sqrt(joint.weight * joint.square_sum + 1e-24) * sizes_.n_trial);
}

/// Calls visit(lane, step, term, weight, distance, slope, length) where a penalty is not zero:
/// distance outside the range and its derivative by the penalised quantity.
template <class Visit>
void Problem::visit_penalties(std::size_t block, const Visit& visit) const {
  using Number = kernel::Dual<double, 1>;
  const LaneLayout& layout = workspace_.layout();
  const std::size_t width = layout.backend().width;
  const LaneTrace trace = workspace_.trace(block);
  const kernel::ObjectiveOptions& options = data_->objective;
  const bool elastic = data_->simulation.tendon != kernel::TendonModel::stiff;
  for (const Lane& lane : layout.lanes_of(block)) {
    const std::size_t n_step = layout.n_step(lane.trial);
    const auto look = [&](std::size_t term, const kernel::RangePenalty& range, const double* table,
                          double scale) {
      const double weight =
          kernel::penalty_weight(options.normalisation, sizes_, static_cast<double>(n_step), range);
      for (std::size_t k = 0; k < n_step; ++k) {
        const double x = table[k * width + lane.place] * scale;
        if (x >= range.lowest && x <= range.highest) continue;
        const Number outside = kernel::distance_outside(Number::variable(x, 1.0, 0), range);
        visit(lane, k, term, weight, outside.value, outside.partial[0]);
      }
    };
    const double lmo =
        parameters_[static_cast<std::size_t>(ParameterKind::optimal_fibre_length) * layout.n_mtu() +
                    lane.mtu];
    look(1, options.fibre_length, trace.fibre_length, 1.0 / lmo);
    if (elastic) look(2, options.tendon_strain, trace.tendon_strain, 1.0);
  }
}

/// Moment errors and terms after a forward pass.
void Problem::measure() {
  const LaneLayout& layout = workspace_.layout();
  const std::size_t width = layout.backend().width;
  std::fill(evaluation_.terms.begin(), evaluation_.terms.end(), 0.0);
  std::fill(evaluation_.rmse.begin(), evaluation_.rmse.end(), 0.0);
  for (Joint& joint : joints_) {
    const std::size_t n_step = joint.error.size();
    std::copy(joint.measured.begin(), joint.measured.end(), joint.error.begin());
    for (std::size_t m = 0; m < joint.mtus.size(); ++m) {
      const Lane& lane = layout.lane(joint.trial, joint.mtus[m]);
      const double* force = workspace_.trace(lane.block).mtu_force + lane.place;
      const double* arm = joint.moment_arm.data() + m * n_step;
      for (std::size_t k = 0; k < n_step; ++k) joint.error[k] -= arm[k] * force[k * width];
    }
    joint.square_sum = 0.0;
    for (const double error : joint.error) joint.square_sum += error * error;
    evaluation_.terms[0] += moment_term(joint);
    evaluation_.rmse[joint.dof] +=
        std::sqrt(joint.square_sum / static_cast<double>(n_step)) / sizes_.n_trial;
  }
  for (std::size_t block = 0; block < layout.n_block(); ++block)
    visit_penalties(block,
                    [&](const Lane&, std::size_t, std::size_t term, double weight, double distance,
                        double) { evaluation_.terms[term] += weight * distance * distance; });
  evaluation_.objective = 0.0;
  for (const double term : evaluation_.terms) evaluation_.objective += term;
}

const Evaluation& Problem::evaluate(const double* x) {
  set_parameters(x);
  workspace_.forward(parameters_.data());
  measure();
  return evaluation_;
}

const Evaluation& Problem::gradient(const double* x, double* gradient) {
  evaluate(x);
  const LaneLayout& layout = workspace_.layout();
  const std::size_t width = layout.backend().width;
  const std::size_t n_mtu = layout.n_mtu();
  workspace_.clear_seeds();
  for (const Joint& joint : joints_) {
    const double weight = -2.0 * error_weight(joint);
    const std::size_t n_step = joint.error.size();
    for (std::size_t m = 0; m < joint.mtus.size(); ++m) {
      const Lane& lane = layout.lane(joint.trial, joint.mtus[m]);
      double* seed = workspace_.seed_force(lane.block) + lane.place;
      const double* arm = joint.moment_arm.data() + m * n_step;
      for (std::size_t k = 0; k < n_step; ++k) seed[k * width] += weight * joint.error[k] * arm[k];
    }
  }
  const auto lmo_row = static_cast<std::size_t>(ParameterKind::optimal_fibre_length) * n_mtu;
  std::vector<double>& direct = by_optimal_length_;
  direct.assign(n_mtu, 0.0);
  for (std::size_t block = 0; block < layout.n_block(); ++block)
    visit_penalties(block, [&](const Lane& lane, std::size_t k, std::size_t term, double weight,
                               double distance, double slope) {
      const double by_quantity = 2.0 * weight * distance * slope;
      if (term == 2) {
        workspace_.seed_tendon_strain(block)[k * width + lane.place] += by_quantity;
        return;
      }
      const double lmo = parameters_[lmo_row + lane.mtu];
      const double length = workspace_.trace(block).fibre_length[k * width + lane.place];
      workspace_.seed_fibre_length(block)[k * width + lane.place] += by_quantity / lmo;
      direct[lane.mtu] -= by_quantity * length / (lmo * lmo);
    });
  workspace_.reverse(matrix_gradient_.data());
  for (std::size_t mtu = 0; mtu < n_mtu; ++mtu) matrix_gradient_[lmo_row + mtu] += direct[mtu];
  std::fill(gradient, gradient + n_component(), 0.0);
  const ParameterMap& map = data_->map;
  for (std::size_t i = 0; i < map.slot.size(); ++i)
    gradient[map.component[i]] += matrix_gradient_[map.slot[i]] * width_[map.component[i]];
  return evaluation_;
}

/// Derivative of an MTU's force by one of its own parameters, after a forward pass with
/// sensitivities.
double Problem::force_derivative(const Lane& lane, std::size_t kind, std::size_t step) const {
  const LaneLayout& layout = workspace_.layout();
  const std::size_t width = layout.backend().width;
  if (only_scales(kind))
    return workspace_.trace(lane.block).mtu_force[step * width + lane.place] /
           parameters_[kind * layout.n_mtu() + lane.mtu];
  return workspace_.sensitivities(lane.block)
      .mtu_force[(step * kinds_.size() + column_of_[kind]) * width + lane.place];
}

/// Derivatives of a joint's errors by its components, scaled: (n_components, stride).
void Problem::fill_rows(const Joint& joint, double scale, std::size_t stride, double* rows) const {
  const LaneLayout& layout = workspace_.layout();
  const std::size_t n_step = joint.error.size();
  std::fill(rows, rows + joint.components.size() * stride, 0.0);
  for (std::size_t m = 0; m < joint.mtus.size(); ++m) {
    const Lane& lane = layout.lane(joint.trial, joint.mtus[m]);
    const double* arm = joint.moment_arm.data() + m * n_step;
    for (const OwnParameter& own : own_[joint.mtus[m]]) {
      const auto place =
          std::lower_bound(joint.components.begin(), joint.components.end(), own.component) -
          joint.components.begin();
      double* row = rows + static_cast<std::size_t>(place) * stride;
      const double factor = -scale * width_[own.component];
      for (std::size_t k = 0; k < n_step; ++k)
        row[k] += factor * arm[k] * force_derivative(lane, own.kind, k);
    }
  }
}

void Problem::add_joint_equations(std::size_t index, double* gradient, double* matrix) {
  const Joint& joint = joints_[index];
  const Backend& backend = workspace_.layout().backend();
  const std::size_t n = joint.components.size();
  const std::size_t n_step = joint.error.size();
  const std::size_t stride = (n_step + backend.width - 1) / backend.width * backend.width;
  if (rows_[index].size() != n * stride) rows_[index] = AlignedBuffer(n * stride);
  gram_[index].resize(n * n);
  const double scale = std::sqrt(2.0 * error_weight(joint));
  double* rows = rows_[index].data();
  fill_rows(joint, scale, stride, rows);
  backend.lower_gram(rows, n, stride, gram_[index].data());
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t row = joint.components[i];
    double by_component = 0.0;
    for (std::size_t k = 0; k < n_step; ++k) by_component += rows[i * stride + k] * joint.error[k];
    gradient[row] += scale * by_component;
    for (std::size_t j = 0; j <= i; ++j)
      matrix[row * n_component() + joint.components[j]] += gram_[index][i * n + j];
  }
}

/// Calls row(weight, distance, derivatives by the lane's own parameters) for every penalty that
/// is not zero.
template <class Row>
void Problem::penalty_rows(std::size_t block, const Row& row) const {
  const LaneLayout& layout = workspace_.layout();
  const std::size_t width = layout.backend().width;
  const std::size_t n_kind = kinds_.size();
  const auto lmo_kind = static_cast<std::size_t>(ParameterKind::optimal_fibre_length);
  const LaneSensitivities by = workspace_.sensitivities(block);
  std::vector<double> derivative;
  visit_penalties(block, [&](const Lane& lane, std::size_t k, std::size_t term, double weight,
                             double distance, double slope) {
    const double lmo = parameters_[lmo_kind * layout.n_mtu() + lane.mtu];
    derivative.clear();
    for (const OwnParameter& own : own_[lane.mtu]) {
      double value = 0.0;
      if (!only_scales(own.kind)) {
        const std::size_t at = (k * n_kind + column_of_[own.kind]) * width + lane.place;
        value = term == 2 ? by.tendon_strain[at] : by.fibre_length[at] / lmo;
      }
      if (term == 1 && own.kind == lmo_kind)
        value -= workspace_.trace(block).fibre_length[k * width + lane.place] / (lmo * lmo);
      derivative.push_back(slope * value * width_[own.component]);
    }
    row(lane, weight, distance, derivative);
  });
}

void Problem::add_penalty_equations(std::size_t block, double* gradient, double* matrix) {
  penalty_rows(block, [&](const Lane& lane, double weight, double distance,
                          const std::vector<double>& derivative) {
    const std::vector<OwnParameter>& own = own_[lane.mtu];
    for (std::size_t i = 0; i < own.size(); ++i) {
      gradient[own[i].component] += 2.0 * weight * distance * derivative[i];
      for (std::size_t j = 0; j < own.size(); ++j)
        if (own[j].component <= own[i].component)
          matrix[own[i].component * n_component() + own[j].component] +=
              2.0 * weight * derivative[i] * derivative[j];
    }
  });
}

const Evaluation& Problem::normal_equations(const double* x, double* gradient, double* matrix) {
  set_parameters(x);
  workspace_.forward(parameters_.data(), kinds_);
  measure();
  const std::size_t n = n_component();
  std::fill(gradient, gradient + n, 0.0);
  std::fill(matrix, matrix + n * n, 0.0);
  for (std::size_t i = 0; i < joints_.size(); ++i) add_joint_equations(i, gradient, matrix);
  for (std::size_t block = 0; block < workspace_.layout().n_block(); ++block)
    add_penalty_equations(block, gradient, matrix);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < i; ++j) matrix[j * n + i] = matrix[i * n + j];
  return evaluation_;
}

void Problem::residuals(const double* x, std::vector<double>& residual,
                        std::vector<double>& jacobian) {
  set_parameters(x);
  workspace_.forward(parameters_.data(), kinds_);
  measure();
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
  for (std::size_t block = 0; block < workspace_.layout().n_block(); ++block)
    penalty_rows(block, [&](const Lane& lane, double weight, double distance,
                            const std::vector<double>& derivative) {
      const double scale = std::sqrt(weight);
      residual.push_back(scale * distance);
      const std::size_t first = jacobian.size();
      jacobian.resize(first + n, 0.0);
      for (std::size_t i = 0; i < derivative.size(); ++i)
        jacobian[first + own_[lane.mtu][i].component] += scale * derivative[i];
    });
}

}  // namespace ceinms_torch::fused
