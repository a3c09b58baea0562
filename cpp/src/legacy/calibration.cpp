#include "ceinms_torch/legacy/calibration.hpp"

#include "ceinms_torch/legacy/execution.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ceinms_torch::legacy {
namespace {

using kernel::ParameterKind;

/// What a trace depends on: everything but the factors of its force, and the delay, which is
/// not a parameter here.
template <class Key>
bool same_trace(const Key& a, const Key& b) noexcept {
  for (std::size_t kind = 0; kind < a.size(); ++kind)
    if (!only_scales(static_cast<ParameterKind>(kind)) && a[kind] != b[kind]) return false;
  return true;
}

template <class Key>
bool same_activations(const Key& a, const Key& b) noexcept {
  constexpr std::array kinds{ParameterKind::c1, ParameterKind::c2, ParameterKind::shape_factor};
  return std::all_of(kinds.begin(), kinds.end(),
                     [&](ParameterKind kind) { return a[index_of(kind)] == b[index_of(kind)]; });
}

}  // namespace

double sample_variance(std::span<const double> values) noexcept {
  const double n = static_cast<double>(values.size());
  double mean = 0.0;
  for (const double value : values) mean += value;
  mean /= n;
  double square_sum = 0.0;
  double correction = 0.0;
  for (const double value : values) {
    correction += value - mean;
    square_sum += (value - mean) * (value - mean);
  }
  return (square_sum - correction * correction / n) / (n - 1.0);
}

Problem::Problem(Curves curves, Model model, std::vector<Trial> trials,
                 std::vector<std::vector<double>> measured, std::vector<std::size_t> dofs,
                 kernel::ParameterMap map, std::optional<terms::Objective> objective,
                 const std::vector<double>& least_variance, ParallelFor parallel)
    : curves_(std::move(curves)),
      model_(model),
      dofs_(std::move(dofs)),
      map_(std::move(map)),
      objective_(std::move(objective)),
      balance_{objective_ ? objective_->normalisation : terms::Normalisation::variance,
               static_cast<double>(dofs_.size()), static_cast<double>(trials.size())},
      parallel_(std::move(parallel)),
      parameters_(map_.start),
      isometric_force_(map_.start.size() / kernel::n_parameter_kind) {
  for (std::size_t t = 0; t < trials.size(); ++t) {
    TrialState state{.trial = std::move(trials[t]), .measured = std::move(measured[t])};
    const std::size_t n_step = state.trial.n_step();
    for (std::size_t dof = 0; dof < state.trial.n_dof; ++dof)
      state.variance.push_back(
          std::max(sample_variance(std::span(state.measured).subspan(dof * n_step, n_step)),
                   least_variance[t]));
    state.mtus.resize(state.trial.n_mtu);
    state.error.resize(n_step);
    state.square_sum.resize(dofs_.size());
    trials_.push_back(std::move(state));
  }
}

void Problem::set_parameters(std::span<const double> x) {
  map_.place(x.data(), parameters_.data());
  const std::size_t n_mtu = isometric_force_.size();
  for (std::size_t m = 0; m < n_mtu; ++m)
    isometric_force_[m] = Mtu(parameters_of(parameters_.data(), n_mtu, m)).isometric_force;
}

double Problem::objective(std::span<const double> x) {
  set_parameters(x);
  parallel_(trials_.size(), [this](std::size_t t) { run_trial(trials_[t]); });
  double f = 0.0;
  for (const TrialState& state : trials_) {
    if (objective_) {
      for (std::size_t d = 0; d < dofs_.size(); ++d) f += moment_term(state, d);
      f += penalty_term(state);
      continue;
    }
    // In the order of CEINMS 0.9, to the last digit.
    for (std::size_t d = 0; d < dofs_.size(); ++d)
      f += (state.square_sum[d] / state.variance[dofs_[d]] + state.penalty) /
           static_cast<double>(state.trial.n_step());
  }
  return f;
}

/// What the moment errors of a DOF in a trial add to the objective.
double Problem::moment_term(const TrialState& state, std::size_t dof) const {
  const double n_step = static_cast<double>(state.trial.n_step());
  const double variance = state.variance[dofs_[dof]];
  if (!objective_) return state.square_sum[dof] / variance / n_step;
  return std::get<terms::Moment>(objective_->list)
      .of_mean(state.square_sum[dof] / n_step, terms::OneMoment{variance, dof, n_step}, balance_);
}

/// What the penalties of a trial add to the objective.
double Problem::penalty_term(const TrialState& state) const {
  return state.penalty * balance_.per_trial() / static_cast<double>(state.trial.n_step());
}

Evaluation Problem::evaluate(std::span<const double> x) {
  Evaluation result{.objective = objective(x), .rmse = std::vector<double>(dofs_.size(), 0.0)};
  for (const TrialState& state : trials_) {
    const double n_step = static_cast<double>(state.trial.n_step());
    result.penalty += penalty_term(state);
    for (std::size_t d = 0; d < dofs_.size(); ++d) {
      result.moment += moment_term(state, d);
      result.rmse[d] +=
          std::sqrt(state.square_sum[d] / n_step) / static_cast<double>(trials_.size());
    }
  }
  return result;
}

std::vector<std::size_t> Problem::failures() const {
  std::vector<std::size_t> result(isometric_force_.size(), 0);
  for (const TrialState& state : trials_)
    for (std::size_t m = 0; m < result.size(); ++m)
      result[m] += state.mtus[m].traces.latest().fibre.failed.size();
  return result;
}

void Problem::run_trial(TrialState& state) const {
  state.penalty = 0.0;
  for (std::size_t m = 0; m < state.trial.n_mtu; ++m) state.penalty += trace(state, m).penalty;
  add_errors(state);
}

const MtuTrace& Problem::trace(TrialState& state, std::size_t mtu) const {
  MtuState& kept = state.mtus[mtu];
  const std::size_t n_mtu = state.trial.n_mtu;
  Key key;
  for (std::size_t kind = 0; kind < key.size(); ++kind) key[kind] = parameters_[kind * n_mtu + mtu];
  return kept.traces.get(key, same_trace<Key>, [&](MtuTrace& fresh) {
    const auto parameters = parameters_of(parameters_.data(), n_mtu, mtu);
    const Activations& activations = kept.activations.get(
        key, same_activations<Key>,
        [&](Activations& result) { activate(state.trial, mtu, parameters, model_, result); });
    fresh.run(curves_, Mtu(parameters), state.trial, mtu, model_, activations);
    if (objective_) fresh.penalty = penalty_of(fresh, mtu);
  });
}

/// The penalties that the objective has for an MTU, summed over frames.
double Problem::penalty_of(const MtuTrace& trace, std::size_t mtu) const {
  const Mtu state(parameters_of(parameters_.data(), isometric_force_.size(), mtu));
  double sum = 100.0 * static_cast<double>(trace.fibre.failed.size());
  const auto add = [&](const terms::Penalties& term, const std::vector<double>& values,
                       double unit) {
    for (const terms::Penalty& one : term.penalties) {
      if (!one.acts_on(mtu)) continue;
      for (const double value : values)
        sum += one.weight * kernel::math::square(one.residual(value / unit));
    }
  };
  add(std::get<terms::FibreLength>(objective_->list), trace.fibre.length,
      state.parameters.optimal_fibre_length);
  add(std::get<terms::FibreVelocity>(objective_->list), trace.velocity, state.peak_velocity);
  return sum;
}

void Problem::add_errors(TrialState& state) const {
  const std::size_t n_step = state.trial.n_step();
  for (std::size_t d = 0; d < dofs_.size(); ++d) {
    const std::size_t dof = dofs_[d];
    double* moment = state.error.data();
    std::fill_n(moment, n_step, 0.0);
    for (std::size_t m = 0; m < state.trial.n_mtu; ++m) {
      if (!state.trial.acts_on(dof, m)) continue;
      const double* force = state.mtus[m].traces.latest().norm_force.data();
      const double* arm = state.trial.moment_arm(dof, m);
      const double isometric_force = isometric_force_[m];
      for (std::size_t k = 0; k < n_step; ++k) moment[k] += isometric_force * force[k] * arm[k];
    }
    const double* measured = state.measured.data() + dof * n_step;
    double square_sum = 0.0;
    for (std::size_t k = 0; k < n_step; ++k)
      square_sum += (measured[k] - moment[k]) * (measured[k] - moment[k]);
    state.square_sum[d] = square_sum;
  }
}

}  // namespace ceinms_torch::legacy
