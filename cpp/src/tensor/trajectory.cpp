#include "ceinms_torch/tensor/trajectory.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace ceinms_torch::tensor {
namespace {

using kernel::FibreState;
using kernel::Mtu;
using kernel::MtuParameters;
using torch::autograd::variable_list;

// ---- The filter

/// The filter's samples: the run-in of the trial that has most of it, then the steps. Tensors are
/// (n_sample, n_mtu, n_trial).
struct Samples {
  at::Tensor excitation;
  at::Tensor is_third;  ///< bool, kernel::Sampling::third_sample
  std::size_t n_run_in;
};

/// kernel::Sampling says where samples are; excitations, delays and times carry their derivatives.
Samples sample_excitations(const at::Tensor& em_delay, const TrialBatch& batch) {
  const auto numbers = [](const at::Tensor& tensor) {
    return tensor.detach().to(at::kCPU).contiguous();
  };
  const at::Tensor time = numbers(batch.time.t()), delay = numbers(em_delay);
  const at::Tensor start = numbers(batch.excitation_start), rate = numbers(batch.excitation_rate);
  const std::int64_t n_step = batch.time.size(0), n_row = batch.excitation.size(0);
  const std::int64_t n_mtu = batch.excitation.size(1), n_trial = batch.excitation.size(2);
  const auto sampling = [&](std::int64_t lane, std::size_t n_run_in) {
    const std::int64_t trial = lane % n_trial;
    return kernel::Sampling({.time = time.const_data_ptr<double>() + trial * n_step,
                             .n_step = static_cast<std::size_t>(n_step),
                             .n_row = static_cast<std::size_t>(n_row),
                             .start = start.const_data_ptr<double>()[trial],
                             .rate = rate.const_data_ptr<double>()[trial]},
                            delay.const_data_ptr<double>()[lane / n_trial], n_run_in);
  };
  Samples result{};
  for (std::int64_t lane = 0; lane < n_mtu * n_trial; ++lane)
    result.n_run_in = std::max(result.n_run_in, sampling(lane, 0).n_run_in());
  const auto n_run_in = static_cast<std::int64_t>(result.n_run_in);
  at::Tensor table = at::zeros({4, n_run_in + n_step, n_mtu * n_trial}, at::kDouble);
  auto put = table.accessor<double, 3>();
  for (std::int64_t lane = 0; lane < n_mtu * n_trial; ++lane) {
    const kernel::Sampling samples = sampling(lane, result.n_run_in);
    const std::size_t third = samples.third_sample();
    for (std::size_t i = 0; i < samples.n_sample(); ++i) {
      const kernel::Sampling::Place place = samples.place(i);
      const auto row = static_cast<std::int64_t>(i);
      put[0][row][lane] = static_cast<double>(place.below);
      put[1][row][lane] = place.share;
      put[2][row][lane] = place.moves ? 1.0 : 0.0;
      put[3][row][lane] = i == third ? 1.0 : 0.0;
    }
  }
  table = table.view({4, -1, n_mtu, n_trial}).to(batch.device());
  result.is_third = table[3] != 0.0;

  const at::Tensor steps = kernel::excitation_row(batch.time.unsqueeze(1), em_delay,
                                                  batch.excitation_start, batch.excitation_rate);
  const at::Tensor rows = at::cat({steps.slice(0, 0, 1).expand({n_run_in, -1, -1}), steps});
  // A row of zeros in front stands for row -1.
  const at::Tensor signal =
      at::cat({at::zeros_like(batch.excitation.slice(0, 0, 1)), batch.excitation});
  const at::Tensor below = table[0].to(at::kLong) + 1;
  result.excitation =
      kernel::interpolate(signal.gather(0, below), signal.gather(0, (below + 1).clamp_max(n_row)),
                          table[1] + table[2] * (rows - rows.detach()));
  return result;
}

/// (n, ...) one step later, with zeros in front.
at::Tensor one_later(const at::Tensor& x) {
  return at::cat({at::zeros_like(x.slice(0, 0, 1)), x.slice(0, 0, -1)});
}

/// One step of the filter. (..., 2, n_mtu, n_trial): its last two outputs
at::Tensor filter_step(const MtuParameters<at::Tensor>& p, const kernel::FilterState<at::Tensor>& s,
                       const at::Tensor& excitation) {
  kernel::ActivationFilter<at::Tensor> filter(p.c1, p.c2, s);
  filter.next(excitation);
  return at::stack({filter.state().u1, filter.state().u2}, -3);
}

// ---- The fibre

using Equilibrium = kernel::StaticEquilibrium<at::Tensor, at::Tensor>;

/// A trajectory without a graph.
struct Sweep {
  Equilibrium start;
  FibreTrajectory fibre;
};

Sweep sweep_by_operations(const Curves& curves, const Mtu<at::Tensor>& mtu,
                          const at::Tensor& activation, const TrialBatch& batch) {
  const std::vector<at::Tensor> a = activation.unbind(0);
  const std::vector<at::Tensor> mtu_length = batch.mtu_length.unbind(0);
  const std::vector<at::Tensor> time_step = batch.time.diff(1, 0).unbind(0);
  const Equilibrium start = kernel::static_equilibrium(curves, mtu, a.front(), mtu_length.front());
  const at::Tensor length0 =
      kernel::equilibrium_fibre_length(curves, mtu, start, a.front(), mtu_length.front());
  FibreState<at::Tensor> state{length0, at::zeros_like(length0), a.front(), mtu_length.front()};
  std::vector<at::Tensor> length{state.fibre_length};
  std::vector<at::Tensor> velocity{state.fibre_velocity};
  for (std::size_t step = 1; step < a.size(); ++step) {
    state =
        kernel::rosenbrock_step(curves, mtu, state, a[step], mtu_length[step], time_step[step - 1]);
    length.push_back(state.fibre_length);
    velocity.push_back(state.fibre_velocity);
  }
  return {start, {at::stack(length), at::stack(velocity)}};
}

Sweep sweep_compiled(const Curves& curve_tensors, const Mtu<at::Tensor>& mtu_tensors,
                     const at::Tensor& activation, const TrialBatch& batch) {
  const kernel::MtuCurves<kernel::PiecewiseCubic> curves = numbers_of(curve_tensors);
  const auto parameters = MtuParameters<at::Tensor>::from(
      [&](kernel::ParameterKind kind) { return mtu_tensors.parameters[kind].contiguous(); });
  const at::Tensor a = activation.contiguous(), mtu_length = batch.mtu_length.contiguous();
  const at::Tensor time = batch.time.contiguous();
  const std::int64_t n_trial = a.size(2), n_lane = a.size(1) * n_trial;
  const at::Tensor start = at::empty_like(a[0]), slope = at::empty_like(a[0]);
  const at::Tensor can_balance = at::empty(a[0].sizes(), at::kBool);
  const at::Tensor fibre_length = at::empty_like(a), fibre_velocity = at::empty_like(a);
  for (std::int64_t lane = 0; lane < n_lane; ++lane) {
    const auto in = [](const at::Tensor& table, std::int64_t place) {
      return table.const_data_ptr<double>()[place];
    };
    const auto out = [](const at::Tensor& table, std::int64_t place) -> double& {
      return table.mutable_data_ptr<double>()[place];
    };
    const Mtu<double> mtu(MtuParameters<double>::from(
        [&](kernel::ParameterKind kind) { return in(parameters[kind], lane / n_trial); }));
    const auto found = kernel::static_equilibrium(curves, mtu, in(a, lane), in(mtu_length, lane));
    out(start, lane) = found.length;
    out(slope, lane) = found.slope;
    can_balance.mutable_data_ptr<bool>()[lane] = found.can_balance;
    FibreState<double> state{
        kernel::equilibrium_fibre_length(curves, mtu, found, in(a, lane), in(mtu_length, lane)),
        0.0, in(a, lane), in(mtu_length, lane)};
    for (std::int64_t step = 0;; ++step) {
      out(fibre_length, step * n_lane + lane) = state.fibre_length;
      out(fibre_velocity, step * n_lane + lane) = state.fibre_velocity;
      if (step + 1 == a.size(0)) break;
      const std::int64_t next = (step + 1) * n_lane + lane;
      const std::int64_t instant = step * n_trial + lane % n_trial;
      state = kernel::rosenbrock_step(curves, mtu, state, in(a, next), in(mtu_length, next),
                                      in(time, instant + n_trial) - in(time, instant));
    }
  }
  return {{start, slope, can_balance}, {fibre_length, fibre_velocity}};
}

/// Whether derivatives of a trajectory may be asked for.
bool needs_graph(const Curves& curves, const MtuParameters<at::Tensor>& p,
                 const at::Tensor& activation, const TrialBatch& batch) {
  if (!at::GradMode::is_enabled()) return false;
  bool result = false;
  MtuParameters<at::Tensor>::from([&](kernel::ParameterKind kind) {
    result = result || p[kind].requires_grad();
    return at::Tensor();
  });
  for (const at::Tensor* tensor :
       {&activation, &batch.mtu_length, &batch.time, &curves.active_force_length.pieces,
        &curves.passive_force_length.pieces, &curves.force_velocity.pieces,
        &curves.tendon_force_strain.pieces})
    result = result || tensor->requires_grad();
  return result;
}

}  // namespace

at::Tensor neural_activation(const MtuParameters<at::Tensor>& p, const TrialBatch& batch,
                             kernel::FilterStart start, Stepping stepping) {
  const Samples samples = sample_excitations(p.em_delay, batch);
  const at::Tensor& e = samples.excitation;
  const at::Tensor e1 = one_later(e);
  kernel::ActivationFilter<at::Tensor> at_rest(
      p.c1, p.c2, {at::zeros_like(e), at::zeros_like(e), e1, one_later(e1)});
  at::Tensor remembers = at::ones_like(e);
  if (start == kernel::FilterStart::ceinms) {
    at_rest.restart_where(samples.is_third);
    remembers.masked_fill_(samples.is_third, 0.0);
  }
  // A step is linear in the two activations it remembers: from rest, what the excitations add; from
  // one of them alone, a column of the matrix.
  const at::Tensor zero = at::zeros_like(p.c1), one = at::ones_like(p.c1);
  const at::Tensor jacobian = at::stack({filter_step(p, {one, zero, zero, zero}, zero),
                                         filter_step(p, {zero, one, zero, zero}, zero)},
                                        1) *
                              remembers.slice(0, 1).unsqueeze(1).unsqueeze(1);
  return linear_recurrence(jacobian, filter_step(p, at_rest.state(), e), stepping)
      .select(1, 0)
      .slice(0, static_cast<std::int64_t>(samples.n_run_in));
}

FibreTrajectory rosenbrock_trajectory(const Curves& curves, const Mtu<at::Tensor>& mtu,
                                      const at::Tensor& activation, const TrialBatch& batch,
                                      Stepping stepping) {
  const Sweep sweep = [&] {
    const at::NoGradGuard no_grad;
    return is_compiled(stepping, activation) ? sweep_compiled(curves, mtu, activation, batch)
                                             : sweep_by_operations(curves, mtu, activation, batch);
  }();
  if (!needs_graph(curves, mtu.parameters, activation, batch)) return sweep.fibre;

  const auto before = [](const at::Tensor& x) { return x.slice(0, 0, -1); };
  const auto after = [](const at::Tensor& x) { return x.slice(0, 1); };
  const variable_list found{before(sweep.fibre.length).detach().requires_grad_(),
                            before(sweep.fibre.velocity).detach().requires_grad_()};
  const FibreState<at::Tensor> next = kernel::rosenbrock_step(
      curves, mtu, {found[0], found[1], before(activation), before(batch.mtu_length)},
      after(activation), after(batch.mtu_length), batch.time.diff(1, 0).unsqueeze(1));
  const auto by_found = [&](const at::Tensor& x) {
    variable_list partials =
        torch::autograd::grad({x}, found, {at::ones_like(x)}, true, false, true);
    for (at::Tensor& partial : partials)
      if (!partial.defined()) partial = at::zeros_like(x);
    return at::stack(partials, 1);
  };
  const at::Tensor jacobian =
      at::stack({by_found(next.fibre_length), by_found(next.fibre_velocity)}, 1);
  const at::Tensor start = kernel::equilibrium_fibre_length(curves, mtu, sweep.start, activation[0],
                                                            batch.mtu_length[0]);
  const auto states = [](const at::Tensor& length, const at::Tensor& velocity) {
    return at::stack({length, velocity}, 1);
  };
  const at::Tensor result =
      implicit_trajectory(states(sweep.fibre.length, sweep.fibre.velocity),
                          at::cat({states(start.unsqueeze(0), at::zeros_like(start).unsqueeze(0)),
                                   states(next.fibre_length, next.fibre_velocity)}),
                          jacobian, stepping);
  return {result.select(1, 0), result.select(1, 1)};
}

}  // namespace ceinms_torch::tensor
