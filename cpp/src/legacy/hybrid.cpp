#include "ceinms_torch/legacy/hybrid.hpp"

#include <cmath>

namespace ceinms_torch::legacy {

HybridRun::HybridRun(const Curves& curves, const double* parameters, const Trial& trial,
                     const Model& model, const double* measured, const HybridOptions& options)
    : curves_(curves),
      trial_(trial),
      model_(model),
      measured_(measured),
      options_(options),
      searched_(options.adjust),
      mapped_(trial.n_mtu, 0.0),
      past_(trial.n_mtu, 0.0) {
  searched_.insert(searched_.end(), options.synth.begin(), options.synth.end());
  for (std::size_t m = 0; m < trial.n_mtu; ++m) {
    const auto p = parameters_of(parameters, trial.n_mtu, m);
    states_.push_back({.mtu = Mtu(p),
                       .curve = ActivationCurve(model.activation, p.shape_factor),
                       .filter = NeuralActivation(p),
                       .length = std::vector<double>(trial.n_step(), 0.0)});
  }
}

std::size_t HybridRun::run(const HybridOutput& out, const std::function<bool()>& go_on) {
  for (std::size_t m = 0; m < states_.size(); ++m) out.run.n_failed[m] = 0;
  charge();
  for (std::size_t frame = 0; frame < trial_.n_step(); ++frame) {
    begin_frame(frame);
    search();
    // The original solves all MTUs once more for its files. With the elastic tendon the solution
    // moves within its tolerance, and later frames start from it.
    for (std::size_t m = 0; m < states_.size(); ++m) update(states_[m], m);
    write(out);
    for (std::size_t m = 0; m < states_.size(); ++m) {
      states_[m].filter.next(states_[m].excitation);
      past_[m] = states_[m].excitation;
    }
    if (!go_on()) return frame + 1;
  }
  return trial_.n_step();
}

void HybridRun::charge() {
  for (std::size_t m = 0; m < states_.size(); ++m)
    for (std::size_t row = 0; row < trial_.rows.run_in; ++row) {
      past_[m] = trial_.excitation(m)[row];
      states_[m].filter.next(past_[m]);
    }
}

void HybridRun::begin_frame(std::size_t frame) {
  frame_ = frame;
  for (std::size_t m = 0; m < states_.size(); ++m) {
    mapped_[m] = trial_.excitation(m)[trial_.rows.row[frame]];
    states_[m].is_solved = false;
    states_[m].excitation = mapped_[m];
    update(states_[m], m);
  }
}

void HybridRun::search() {
  if (searched_.empty()) return;
  std::vector<double> start;
  for (const std::size_t m : options_.adjust) start.push_back(mapped_[m]);
  for (const std::size_t m : options_.synth) start.push_back(past_[m]);
  const std::vector<double> lower(start.size(), 0.0);
  const std::vector<double> upper(start.size(), 1.0);
  const AnnealingHooks hooks{
      .objective = [this](std::span<const double> x) { return objective(x); },
      .report = [](const Temperature&) { return true; },
      .go_on = {}};
  const AnnealingResult best =
      anneal(AnnealingKind::hybrid, start, lower, upper, options_.annealing, hooks);
  objective(best.x);
}

void HybridRun::try_excitation(State& state, std::size_t mtu, double excitation) {
  // Only what changed since the last evaluation is computed again, as in the original: with the
  // elastic tendon a solution depends a little on the one before (see `solve`).
  if (state.excitation == excitation) return;
  state.excitation = excitation;
  update(state, mtu);
}

void HybridRun::update(State& state, std::size_t mtu) {
  const double mtu_length = trial_.mtu_length(mtu)[frame_];
  double& length = state.length[frame_];
  state.activation = state.curve(state.filter.peek(state.excitation));
  state.has_failed = false;
  if (model_.tendon == TendonModel::stiff) {
    length = kernel::stiff_fibre_length<double>(state.mtu, mtu_length);
  } else {
    const std::optional<double> root = solve(state, mtu_length);
    state.has_failed = !root.has_value();
    length = root ? *root : kernel::stiff_fibre_length<double>(state.mtu, mtu_length);
    state.is_solved = true;
  }
  state.velocity = trial_.velocity_slope.of_past(frame_, state.length.data()) +
                   trial_.velocity_slope.of_latest(frame_) * length;
  state.force = state.mtu.peak_force *
                muscle_force(curves_, state.mtu, length, state.velocity, state.activation);
}

std::optional<double> HybridRun::solve(const State& state, double mtu_length) const {
  const double past = trial_.tendon_slope.of_past(frame_, state.length.data());
  const double latest = trial_.tendon_slope.of_latest(frame_);
  // The original's ring of points takes none with a time it has already, so the first function
  // value of a second solution at one frame has the velocity of the solution before (quirk F28).
  bool is_stale = state.is_solved;
  const double stale = past + latest * state.length[frame_];
  return equilibrium_fibre_length(
      curves_, state.mtu, state.activation, mtu_length, model_.tolerance, [&](double length) {
        const double velocity = is_stale ? stale : past + latest * length;
        is_stale = false;
        return velocity;
      });
}

double HybridRun::moment(std::size_t dof) const {
  double sum = 0.0;
  for (std::size_t m = 0; m < states_.size(); ++m)
    if (trial_.acts_on(dof, m)) sum += states_[m].force * trial_.moment_arm(dof, m)[frame_];
  return sum;
}

double HybridRun::objective(std::span<const double> x) {
  for (std::size_t i = 0; i < searched_.size(); ++i)
    try_excitation(states_[searched_[i]], searched_[i], x[i]);
  double error = 0.0;
  for (std::size_t dof = 0; dof < trial_.n_dof; ++dof) {
    const double difference = measured_[frame_ * trial_.n_dof + dof] - moment(dof);
    error += difference * difference;
  }
  double effort = 0.0;
  for (const State& state : states_) effort += state.excitation * state.excitation;
  double change = 0.0;
  for (const std::size_t m : options_.adjust)
    change += std::abs(states_[m].excitation - mapped_[m]);
  return options_.alpha * error + options_.beta * effort + options_.gamma * change;
}

void HybridRun::write(const HybridOutput& out) const {
  const std::size_t n_mtu = states_.size();
  for (std::size_t m = 0; m < n_mtu; ++m) {
    const State& state = states_[m];
    out.run.set(frame_ * n_mtu + m, state.mtu, trial_.mtu_length(m)[frame_],
                {state.activation, state.length[frame_], state.velocity, state.force});
    out.excitation[frame_ * n_mtu + m] = state.excitation;
    if (state.has_failed) ++out.run.n_failed[m];
  }
  for (std::size_t dof = 0; dof < trial_.n_dof; ++dof)
    out.run.joint_moment[frame_ * trial_.n_dof + dof] = moment(dof);
}

}  // namespace ceinms_torch::legacy
