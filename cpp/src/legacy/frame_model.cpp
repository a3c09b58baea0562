#include "ceinms_torch/legacy/frame_model.hpp"

#include "ceinms_torch/kernel/dual.hpp"

#include <cmath>

namespace ceinms_torch::legacy {

FrameModel::FrameModel(const Curves& curves, const double* parameters, const Trial& trial,
                       const Model& model)
    : curves_(curves), trial_(trial), model_(model) {
  for (std::size_t m = 0; m < trial.n_mtu; ++m) {
    const auto p = parameters_of(parameters, trial.n_mtu, m);
    states_.push_back({.mtu = Mtu(p),
                       .curve = ActivationCurve(model.activation, p.shape_factor),
                       .filter = NeuralActivation(p),
                       .length = std::vector<double>(trial.n_step(), 0.0)});
  }
}

void FrameModel::charge() {
  for (std::size_t m = 0; m < states_.size(); ++m)
    for (std::size_t row = 0; row < trial_.rows.run_in; ++row) {
      states_[m].past = trial_.excitation(m)[row];
      states_[m].filter.next(states_[m].past);
    }
}

void FrameModel::begin(std::size_t frame) {
  frame_ = frame;
  for (std::size_t m = 0; m < states_.size(); ++m) {
    states_[m].is_solved = false;
    states_[m].excitation = recorded(m);
    update(m);
    states_[m].guess = states_[m].length[frame];
  }
}

void FrameModel::set_excitation(std::size_t mtu, double excitation) {
  // Only what changed since the last evaluation is computed again, as in the original: with the
  // elastic tendon a solution depends a little on the one before (see `solve`).
  if (states_[mtu].excitation == excitation) return;
  states_[mtu].excitation = excitation;
  update(mtu);
}

void FrameModel::solve_again() {
  if (model_.tendon == TendonModel::stiff) return;  // nothing would move
  for (std::size_t m = 0; m < states_.size(); ++m) update(m);
}

void FrameModel::end() {
  for (State& state : states_) {
    state.filter.next(state.excitation);
    state.past = state.excitation;
  }
}

void FrameModel::update(std::size_t mtu) {
  State& state = states_[mtu];
  const double mtu_length = trial_.mtu_length(mtu)[frame_];
  double& length = state.length[frame_];
  state.activation = state.curve(state.filter.peek(state.excitation));
  state.has_failed = false;
  if (model_.tendon == TendonModel::stiff) {
    length = kernel::stiff_fibre_length(state.mtu, mtu_length);
  } else {
    const std::optional<double> root = solve(state, mtu);
    state.has_failed = !root.has_value();
    length = root ? *root : kernel::stiff_fibre_length(state.mtu, mtu_length);
    state.is_solved = true;
  }
  state.velocity = velocity_at(state, length);
  state.force = state.mtu.isometric_force *
                muscle_force(curves_, state.mtu, length, state.velocity, state.activation);
}

double FrameModel::velocity_at(const State& state, double length) const noexcept {
  return trial_.velocity_slope.of_past(frame_, state.length.data()) +
         trial_.velocity_slope.of_latest(frame_) * length;
}

std::optional<double> FrameModel::solve(const State& state, std::size_t mtu) const {
  const double past = trial_.tendon_slope.of_past(frame_, state.length.data());
  const double latest = trial_.tendon_slope.of_latest(frame_);
  // The original's ring of points takes none with a time it has already, so the first function
  // value of a second solution at one frame has the velocity of the solution before (quirk F28).
  bool is_stale = state.is_solved;
  const double stale = past + latest * state.length[frame_];
  return equilibrium_fibre_length(
      curves_, state.mtu, state.activation, trial_.mtu_length(mtu)[frame_], model_.tolerance,
      [&](double length) {
        const double velocity = is_stale ? stale : past + latest * length;
        is_stale = false;
        return velocity;
      });
}

std::optional<double> FrameModel::refine(const State& state, std::size_t mtu,
                                         double activation) const {
  constexpr int max_iterations = 8;
  constexpr double converged = 1e-10;  // of the optimal fibre length
  const double mtu_length = trial_.mtu_length(mtu)[frame_];
  const double past = trial_.tendon_slope.of_past(frame_, state.length.data());
  const double latest = trial_.tendon_slope.of_latest(frame_);
  const auto f = [&](const auto& length) {
    return imbalance(curves_, state.mtu, length, past + latest * length, activation, mtu_length);
  };
  const double lmo = state.mtu.parameters.optimal_fibre_length;
  const double lowest = 0.2 * lmo;
  const double highest = 2.0 * lmo;
  if ((f(lowest) > 0.0) == (f(highest) > 0.0)) return std::nullopt;
  double length = state.guess;
  for (int i = 0; i < max_iterations; ++i) {
    const auto here = f(kernel::variable<0, 1>(length, 1.0));
    const double step = -here.value / here.partial[0];
    length += step;
    if (!(length > lowest && length < highest)) break;
    if (std::abs(step) < converged * lmo) return length;
  }
  return equilibrium_fibre_length(curves_, state.mtu, activation, mtu_length, converged * lmo,
                                  [&](double l) { return past + latest * l; });
}

ForceSlope FrameModel::force_slope(std::size_t mtu, double excitation) {
  enum : std::size_t { by_length, by_activation, n_input };
  State& state = states_[mtu];
  const auto [a, a_by_u] = state.curve.value_and_slope(state.filter.peek(excitation));
  const double scale = state.mtu.isometric_force;
  const double a_by_e = a_by_u * state.filter.gain();
  const double mtu_length = trial_.mtu_length(mtu)[frame_];
  const auto root = model_.tendon == TendonModel::stiff ? std::nullopt : refine(state, mtu, a);
  if (!root) {
    const bool has_failed = model_.tendon != TendonModel::stiff;
    const double length =
        has_failed ? kernel::stiff_fibre_length(state.mtu, mtu_length) : state.length[frame_];
    const double velocity = has_failed ? velocity_at(state, length) : state.velocity;
    const auto force =
        muscle_force(curves_, state.mtu, length, velocity, kernel::variable<0, 1>(a, 1.0));
    return {scale * force.value, scale * force.partial[0] * a_by_e, has_failed};
  }
  state.guess = *root;
  const auto activation = kernel::variable<by_activation, n_input>(a, 1.0);
  const auto length = kernel::variable<by_length, n_input>(*root, 1.0);
  const auto velocity_through = [&](const CausalSlope& slope) {
    return slope.of_past(frame_, state.length.data()) + slope.of_latest(frame_) * length;
  };
  const auto force =
      muscle_force(curves_, state.mtu, length, velocity_through(trial_.velocity_slope), activation);
  const auto f = imbalance(curves_, state.mtu, length, velocity_through(trial_.tendon_slope),
                           activation, mtu_length);
  // Where f has no slope by length, at a kink of a curve, the length is taken as it is.
  const double moved = f.partial[by_activation] / f.partial[by_length];
  const double by_a = force.partial[by_activation] -
                      (std::isfinite(moved) ? moved * force.partial[by_length] : 0.0);
  return {scale * force.value, scale * by_a * a_by_e, false};
}

double FrameModel::moment(std::size_t dof) const noexcept {
  double sum = 0.0;
  for (std::size_t m = 0; m < states_.size(); ++m)
    if (trial_.acts_on(dof, m)) sum += states_[m].force * trial_.moment_arm(dof, m)[frame_];
  return sum;
}

void FrameModel::write(const RunOutput& out) const {
  const std::size_t n_mtu = states_.size();
  for (std::size_t m = 0; m < n_mtu; ++m) {
    const State& state = states_[m];
    out.set(frame_ * n_mtu + m, state.mtu, trial_.mtu_length(m)[frame_],
            {state.activation, state.length[frame_], state.velocity, state.force});
  }
  for (std::size_t dof = 0; dof < trial_.n_dof; ++dof)
    out.joint_moment[frame_ * trial_.n_dof + dof] = moment(dof);
}

}  // namespace ceinms_torch::legacy
