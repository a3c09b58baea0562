#include "ceinms_torch/calibration/problem.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace ceinms_torch::calibration {
namespace {

using kernel::Normalisation;
using kernel::ParameterKind;

constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

}  // namespace

Problem::Problem(const engine::Backend& backend, const std::vector<kernel::TrialInput>& trials,
                 std::shared_ptr<const engine::CurveTables> curves, ProblemData data,
                 std::size_t n_thread)
    : data_(std::make_shared<const ProblemData>(std::move(data))),
      workspace_(engine::LaneLayout(backend, trials), std::move(curves), data_->simulation,
                 n_thread),
      sizes_{static_cast<double>(data_->dofs.size()), static_cast<double>(trials.size())},
      own_(workspace_.layout().n_mtu()),
      column_of_(kernel::n_parameter_kind, none),
      actions_(trials.size() * workspace_.layout().n_mtu()),
      parameters_(data_->map.start),
      matrix_gradient_(data_->map.start.size()),
      penalties_(workspace_.layout().n_block()),
      linear_(data_->linear_terms, data_->map.n_component()) {
  const ParameterMap& map = data_->map;
  const std::size_t n_mtu = workspace_.layout().n_mtu();
  for (std::size_t i = 0; i < map.n_component(); ++i) width_.push_back(map.upper[i] - map.lower[i]);
  for (std::size_t i = 0; i < map.slot.size(); ++i) {
    const auto kind = static_cast<ParameterKind>(map.slot[i] / n_mtu);
    own_[map.slot[i] % n_mtu].push_back({kind, map.component[i]});
    std::size_t& column = column_of_[static_cast<std::size_t>(kind)];
    if (only_scales(kind) || column != none) continue;
    column = kinds_.size();
    kinds_.push_back(kind);
  }
  equations_.resize(data_->dofs.size() + 1);
  add_joints(trials);
  if (has_peaks()) add_peaks(trials);
  for (std::size_t dof = 0; dof < equations_.size(); ++dof) {
    std::vector<std::size_t>& components = equations_[dof].components;
    std::sort(components.begin(), components.end());
    components.erase(std::unique(components.begin(), components.end()), components.end());
    constexpr std::size_t height = 16 * engine::gram_tile;
    for (std::size_t first = 0; first <= components.size(); first += height)
      bands_.push_back({dof, first, std::min(first + height, components.size() + 1)});
  }
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
        let_act(mtu, joint);
        for (std::size_t k = 0; k < n_step; ++k) joint.moment_arm.push_back(arm(k));
      }
      add(std::move(joint));
    }
  }
}

/// The summed force of every trial, on which all MTUs act.
void Problem::add_peaks(const std::vector<kernel::TrialInput>& trials) {
  const double* force =
      data_->map.start.data() +
      static_cast<std::size_t>(ParameterKind::max_isometric_force) * workspace_.layout().n_mtu();
  force_scale_ = 1.0 / std::accumulate(force, force + workspace_.layout().n_mtu(), 0.0);
  for (std::size_t t = 0; t < trials.size(); ++t) {
    const std::size_t n_step = trials[t].n_step;
    Joint joint{};
    joint.trial = t;
    joint.dof = no_dof;
    joint.weight = kernel::peak_weight(data_->objective.normalisation, sizes_,
                                       data_->objective.peak_force_weight) /
                   static_cast<double>(n_step);
    joint.error.resize(n_step);
    joint.moment_arm.resize(trials[t].n_mtu * n_step);
    for (std::size_t mtu = 0; mtu < trials[t].n_mtu; ++mtu) let_act(mtu, joint);
    add(std::move(joint));
  }
}

/// One more MTU for the joint that is going to be added next.
void Problem::let_act(std::size_t mtu, Joint& joint) {
  actions_[joint.trial * workspace_.layout().n_mtu() + mtu].push_back(
      {joints_.size(), joint.mtus.size()});
  joint.mtus.push_back(mtu);
  for (const OwnParameter& own : own_[mtu]) equations_of(joint).components.push_back(own.component);
}

void Problem::add(Joint joint) {
  equations_of(joint).joints.push_back(joints_.size());
  joints_.push_back(std::move(joint));
}

std::vector<std::string> Problem::term_names() const {
  std::vector<std::string> names{"moment", "fibre_length"};
  if (data_->simulation.tendon != kernel::TendonModel::stiff) names.emplace_back("tendon_strain");
  if (has_peaks()) names.emplace_back("peak_force");
  for (const LinearTerm& term : linear_.terms()) names.push_back(term.name);
  return names;
}

void Problem::set_point(const double* x) {
  const ParameterMap& map = data_->map;
  const std::size_t n_mtu = workspace_.layout().n_mtu();
  for (std::size_t i = 0; i < map.slot.size(); ++i) {
    const std::size_t c = map.component[i];
    double& value = parameters_[map.slot[i]];
    value = map.lower[c] + x[c] * width_[c];
    // The derivative by a scale is the force over it, which a scale of exactly zero would lose.
    if (value == 0.0 && only_scales(static_cast<ParameterKind>(map.slot[i] / n_mtu)))
      value = 1e-100;
  }
  linear_.measure(x);
}

/// What a joint adds to the objective.
double Problem::joint_term(const Joint& joint) const {
  const double value = joint.weight * joint.square_sum;
  if (data_->objective.normalisation != Normalisation::rmse || joint.dof == no_dof) return value;
  return std::sqrt(value + 1e-24) / sizes_.n_trial;
}

/// d(joint_term) / d(square_sum).
double Problem::error_weight(const Joint& joint) const {
  if (data_->objective.normalisation != Normalisation::rmse || joint.dof == no_dof)
    return joint.weight;
  return joint.weight / (2.0 * std::sqrt(joint.weight * joint.square_sum + 1e-24) * sizes_.n_trial);
}

/// Moment errors of a joint at some steps, step 0 first, after a forward pass through them.
void Problem::measure(Joint& joint, const kernel::StepRange& steps) const {
  const engine::LaneLayout& layout = workspace_.layout();
  const std::size_t width = layout.backend().width;
  const std::size_t n_step = joint.error.size();
  for (std::size_t k = steps.first; k < steps.end; ++k) joint.error[k] = joint.measured[k];
  for (std::size_t m = 0; m < joint.mtus.size(); ++m) {
    const engine::Lane& lane = layout.lane(joint.trial, joint.mtus[m]);
    const double* force = workspace_.trace(lane.block).mtu_force + lane.place;
    const double* arm = joint.moment_arm.data() + m * n_step;
    for (std::size_t k = steps.first; k < steps.end; ++k)
      joint.error[k] -= arm[k] * force[k * width];
  }
  if (steps.first == 0) joint.square_sum = 0.0;
  for (std::size_t k = steps.first; k < steps.end; ++k)
    joint.square_sum += joint.error[k] * joint.error[k];
}

/// The summed force of a trial after a forward pass, as errors whose squares sum to n_step times
/// the squared peak, with the same derivatives.
///
/// With m the mean over steps, the squared peak is P^2 = m(s^p)^(2/p) = m((w s)^2), where
/// w = |s / P|^(p/2 - 1), and its derivative is 2 m(w^2 s ds): that of the squares of w s with w as
/// it is. So w / (sum of F0) is the moment arm of every MTU at this point, and least squares
/// follow: the rows weigh the steps near the peak, and the peak's own are not the only ones.
void Problem::measure_peak(Joint& joint) const {
  const engine::LaneLayout& layout = workspace_.layout();
  const std::size_t width = layout.backend().width;
  const std::size_t n_step = joint.error.size();
  std::vector<double>& error = joint.error;
  std::fill(error.begin(), error.end(), 0.0);
  for (const std::size_t mtu : joint.mtus) {
    const engine::Lane& lane = layout.lane(joint.trial, mtu);
    const double* force = workspace_.trace(lane.block).mtu_force + lane.place;
    for (std::size_t k = 0; k < n_step; ++k) error[k] -= force_scale_ * force[k * width];
  }
  // Over the greatest, so that no power is too small.
  double greatest = 0.0;
  for (const double s : error) greatest = std::max(greatest, std::abs(s));
  if (greatest == 0.0) greatest = 1.0;
  double mean = 0.0;
  for (const double s : error)
    mean += std::pow(std::abs(s) / greatest, kernel::peak_exponent) / static_cast<double>(n_step);
  const double peak = greatest * std::pow(mean, 1.0 / kernel::peak_exponent);
  joint.square_sum = peak * peak * static_cast<double>(n_step);
  for (std::size_t k = 0; k < n_step; ++k) {
    const double weight =
        peak > 0.0 ? std::pow(std::abs(error[k]) / peak, kernel::peak_exponent / 2.0 - 1.0) : 0.0;
    error[k] *= weight;
    for (std::size_t m = 0; m < joint.mtus.size(); ++m)
      joint.moment_arm[m * n_step + k] = weight * force_scale_;
  }
}

/// Penalties of a block at some steps, step 0 first, after its forward pass through them.
void Problem::add_up_penalties(std::size_t block, const kernel::StepRange& steps) {
  BlockPenalties& sums = penalties_[block];
  if (steps.first == 0) sums.fibre_length = sums.tendon_strain = 0.0;
  visit_penalties(
      block,
      [&](const engine::Lane&, std::size_t, Term term, double weight, double distance, double) {
        (term == Term::fibre_length ? sums.fibre_length : sums.tendon_strain) +=
            weight * distance * distance;
      },
      steps);
}

/// The evaluation from what joints and blocks have measured, always in the same order: results do
/// not depend on threads.
void Problem::sum_up() {
  std::fill(evaluation_.terms.begin(), evaluation_.terms.end(), 0.0);
  std::fill(evaluation_.rmse.begin(), evaluation_.rmse.end(), 0.0);
  const bool elastic = data_->simulation.tendon != kernel::TendonModel::stiff;
  const std::size_t peak_force = elastic ? 3 : 2;
  for (const Joint& joint : joints_) {
    if (joint.dof == no_dof) {
      evaluation_.terms[peak_force] += joint_term(joint);
      continue;
    }
    evaluation_.terms[0] += joint_term(joint);
    evaluation_.rmse[joint.dof] +=
        std::sqrt(joint.square_sum / static_cast<double>(joint.error.size())) / sizes_.n_trial;
  }
  for (const BlockPenalties& sums : penalties_) {
    evaluation_.terms[1] += sums.fibre_length;
    if (elastic) evaluation_.terms[2] += sums.tendon_strain;
  }
  const std::size_t n_linear = linear_.terms().size();
  for (std::size_t i = 0; i < n_linear; ++i)
    evaluation_.terms[evaluation_.terms.size() - n_linear + i] = linear_.square_sum(i);
  evaluation_.objective = 0.0;
  for (const double term : evaluation_.terms) evaluation_.objective += term;
}

const Evaluation& Problem::evaluate(const double* x) {
  set_point(x);
  workspace_.forward(parameters_.data(),
                     [&](std::size_t block) { add_up_penalties(block, all_steps); });
  workspace_.pool().run(joints_.size(), [&](std::size_t i, std::size_t) {
    Joint& joint = joints_[i];
    joint.dof == no_dof ? measure_peak(joint) : measure(joint, {0, joint.error.size()});
  });
  sum_up();
  return evaluation_;
}

/// Derivatives of the objective by what a block's simulation gave out.
void Problem::fill_seeds(std::size_t block) {
  const engine::LaneLayout& layout = workspace_.layout();
  const std::size_t width = layout.backend().width;
  workspace_.clear_seeds(block);
  for (const engine::Lane& lane : layout.lanes_of(block)) {
    for (const Action& action : actions_[lane.trial * layout.n_mtu() + lane.mtu]) {
      const Joint& joint = joints_[action.joint];
      const std::size_t n_step = joint.error.size();
      const double weight = -2.0 * error_weight(joint);
      const double* arm = joint.moment_arm.data() + action.mtu * n_step;
      double* seed = workspace_.seed_force(block) + lane.place;
      for (std::size_t k = 0; k < n_step; ++k) seed[k * width] += weight * joint.error[k] * arm[k];
    }
  }
  std::vector<double>& direct = penalties_[block].by_optimal_length;
  direct.assign(width, 0.0);
  visit_penalties(block, [&](const engine::Lane& lane, std::size_t k, Term term, double weight,
                             double distance, double slope) {
    const std::size_t at = k * width + lane.place;
    const double by_quantity = 2.0 * weight * distance * slope;
    if (term == Term::tendon_strain) {
      workspace_.seed_tendon_strain(block)[at] += by_quantity;
      return;
    }
    const double lmo = parameter(ParameterKind::optimal_fibre_length, lane.mtu);
    workspace_.seed_fibre_length(block)[at] += by_quantity / lmo;
    direct[lane.place] -= by_quantity * workspace_.trace(block).fibre_length[at] / (lmo * lmo);
  });
}

const Evaluation& Problem::gradient(const double* x, double* gradient) {
  evaluate(x);
  workspace_.reverse(matrix_gradient_.data(), [&](std::size_t block) { fill_seeds(block); });
  const engine::LaneLayout& layout = workspace_.layout();
  double* by_lmo = matrix_gradient_.data() +
                   static_cast<std::size_t>(ParameterKind::optimal_fibre_length) * layout.n_mtu();
  for (std::size_t block = 0; block < layout.n_block(); ++block)
    for (const engine::Lane& lane : layout.lanes_of(block))
      by_lmo[lane.mtu] += penalties_[block].by_optimal_length[lane.place];
  std::fill(gradient, gradient + n_component(), 0.0);
  const ParameterMap& map = data_->map;
  for (std::size_t i = 0; i < map.slot.size(); ++i)
    gradient[map.component[i]] += matrix_gradient_[map.slot[i]] * width_[map.component[i]];
  linear_.add_gradient(gradient);
  return evaluation_;
}

}  // namespace ceinms_torch::calibration
