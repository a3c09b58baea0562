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

constexpr auto n_sub_step = static_cast<std::int64_t>(kernel::n_sub_step);

/// Where sub-steps began, of those steps that were taken in sub-steps.
struct SubSteps {
  at::Tensor place;     ///< (n): of the step among (n_step - 1, n_mtu, n_trial)
  at::Tensor length;    ///< (n_sub_step, n) [m]
  at::Tensor velocity;  ///< (n_sub_step, n) [m/s]
};

/// A trajectory without a graph.
struct Sweep {
  Equilibrium start;
  FibreTrajectory fibre;
  SubSteps sub_steps;
};

Sweep sweep_by_operations(const Curves& curves, const Mtu<at::Tensor>& mtu,
                          const at::Tensor& activation, const TrialBatch& batch) {
  const std::vector<at::Tensor> a = activation.unbind(0);
  const std::vector<at::Tensor> mtu_length = batch.mtu_length.unbind(0);
  const std::vector<at::Tensor> time_step = batch.time.diff(1, 0).unbind(0);
  const Equilibrium start = kernel::static_equilibrium(curves, mtu, a.front(), mtu_length.front());
  const at::Tensor length0 =
      kernel::equilibrium_fibre_length(curves, mtu, start, a.front(), mtu_length.front());
  kernel::ElasticFibre<at::Tensor> fibre{
      {length0, at::zeros_like(length0), a.front(), mtu_length.front()},
      {},
      at::zeros_like(length0)};
  fibre.imbalance = kernel::forces_with_partials(curves, mtu, fibre.state).imbalance();
  std::vector<at::Tensor> length{length0};
  std::vector<at::Tensor> velocity{fibre.state.fibre_velocity};
  std::vector<at::Tensor> place, sub_length, sub_velocity;
  for (std::size_t step = 1; step < a.size(); ++step) {
    std::vector<at::Tensor> lengths, velocities;
    const auto next = kernel::elastic_step(
        curves, mtu, fibre, a[step], mtu_length[step], time_step[step - 1],
        [&](std::size_t, const FibreState<at::Tensor>& sub, const at::Tensor&) {
          lengths.push_back(sub.fibre_length.flatten());
          velocities.push_back(sub.fibre_velocity.flatten());
        });
    if (!lengths.empty()) {
      const at::Tensor lane = (next.denominator == 0.0).flatten().nonzero().select(1, 0);
      place.push_back(lane + static_cast<std::int64_t>(step - 1) * length0.numel());
      sub_length.push_back(at::stack(lengths).index_select(1, lane));
      sub_velocity.push_back(at::stack(velocities).index_select(1, lane));
    }
    fibre = next.fibre;
    length.push_back(fibre.state.fibre_length);
    velocity.push_back(fibre.state.fibre_velocity);
  }
  const auto joined = [](const std::vector<at::Tensor>& parts) {
    return parts.empty() ? at::Tensor() : at::cat(parts, -1);
  };
  return {start,
          {at::stack(length), at::stack(velocity)},
          {joined(place), joined(sub_length), joined(sub_velocity)}};
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
  std::vector<std::int64_t> place;
  std::vector<double> sub_length, sub_velocity;
  for (std::int64_t lane = 0; lane < n_lane; ++lane) {
    const auto in = [](const at::Tensor& table, std::int64_t i) {
      return table.const_data_ptr<double>()[i];
    };
    const auto out = [](const at::Tensor& table, std::int64_t i) -> double& {
      return table.mutable_data_ptr<double>()[i];
    };
    const Mtu<double> mtu(MtuParameters<double>::from(
        [&](kernel::ParameterKind kind) { return in(parameters[kind], lane / n_trial); }));
    const auto found = kernel::static_equilibrium(curves, mtu, in(a, lane), in(mtu_length, lane));
    out(start, lane) = found.length;
    out(slope, lane) = found.slope;
    can_balance.mutable_data_ptr<bool>()[lane] = found.can_balance;
    kernel::ElasticFibre<double> fibre{
        {kernel::equilibrium_fibre_length(curves, mtu, found, in(a, lane), in(mtu_length, lane)),
         0.0, in(a, lane), in(mtu_length, lane)},
        {},
        0.0};
    fibre.imbalance = kernel::forces_with_partials(curves, mtu, fibre.state).imbalance();
    for (std::int64_t step = 0;; ++step) {
      out(fibre_length, step * n_lane + lane) = fibre.state.fibre_length;
      out(fibre_velocity, step * n_lane + lane) = fibre.state.fibre_velocity;
      if (step + 1 == a.size(0)) break;
      const std::int64_t next = (step + 1) * n_lane + lane;
      const std::int64_t instant = step * n_trial + lane % n_trial;
      fibre = kernel::elastic_step(curves, mtu, fibre, in(a, next), in(mtu_length, next),
                                   in(time, instant + n_trial) - in(time, instant),
                                   [&](std::size_t i, const FibreState<double>& sub, double) {
                                     if (i == 0) place.push_back(next - n_lane);
                                     sub_length.push_back(sub.fibre_length);
                                     sub_velocity.push_back(sub.fibre_velocity);
                                   })
                  .fibre;
    }
  }
  SubSteps sub_steps;
  if (!place.empty()) {
    const auto n = static_cast<std::int64_t>(place.size());
    const auto starts = [&](const std::vector<double>& values) {
      return at::tensor(values, a.options()).view({n, n_sub_step}).t().contiguous();
    };
    sub_steps = {at::tensor(place, at::kLong), starts(sub_length), starts(sub_velocity)};
  }
  return {{start, slope, can_balance}, {fibre_length, fibre_velocity}, sub_steps};
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

/// (n, 2, ...): lengths and velocities.
at::Tensor states(const at::Tensor& length, const at::Tensor& velocity) {
  return at::stack({length, velocity}, 1);
}

/// (n, 2, 2, ...): partials of what steps lead to by where they start, both elementwise.
at::Tensor partials_by(const variable_list& start, const FibreState<at::Tensor>& end) {
  const auto by_start = [&](const at::Tensor& x) {
    variable_list partials =
        torch::autograd::grad({x}, start, {at::ones_like(x)}, true, false, true);
    for (at::Tensor& partial : partials)
      if (!partial.defined()) partial = at::zeros_like(x);
    return at::stack(partials, 1);
  };
  return at::stack({by_start(end.fibre_length), by_start(end.fibre_velocity)}, 1);
}

/// All inputs of steps in a row: whole ones (n_step - 1, n_mtu, n_trial) with the parameters
/// (n_mtu, 1), or some of them (n) with the parameters (n).
struct Steps {
  Mtu<at::Tensor> mtu;
  FibreState<at::Tensor> before;
  at::Tensor activation;
  at::Tensor mtu_length;
  at::Tensor time_step;

  /// Those at some places among all.
  Steps some(const at::Tensor& place) const {
    const at::IntArrayRef shape = activation.sizes();
    const auto taken = [&](const at::Tensor& x) {
      return x.expand(shape).reshape(-1).index_select(0, place);
    };
    const at::Tensor row = at::remainder(place.div(shape[2], "floor"), shape[1]);
    return {Mtu<at::Tensor>(MtuParameters<at::Tensor>::from([&](kernel::ParameterKind kind) {
              return mtu.parameters[kind].select(1, 0).index_select(0, row);
            })),
            {taken(before.fibre_length), taken(before.fibre_velocity), taken(before.activation),
             taken(before.mtu_length)},
            taken(activation),
            taken(mtu_length),
            taken(time_step)};
  }
};

/// The states after steps that were taken in sub-steps, with their derivatives by all inputs: the
/// sub-steps are a trajectory, too. (2, n)
at::Tensor after_sub_steps(const Curves& curves, const Steps& steps, const SubSteps& taken,
                           const at::Tensor& found_end, Stepping stepping) {
  const at::Tensor share =
      at::arange(1, n_sub_step + 1, steps.activation.options()).unsqueeze(1) / n_sub_step;
  const at::Tensor activation = kernel::between(steps.before.activation, steps.activation, share);
  const at::Tensor mtu_length = kernel::between(steps.before.mtu_length, steps.mtu_length, share);
  const at::Tensor mtu_length_before =
      at::cat({steps.before.mtu_length.unsqueeze(0), mtu_length.slice(0, 0, -1)});
  const variable_list found{taken.length.detach().requires_grad_(),
                            taken.velocity.detach().requires_grad_()};
  const FibreState<at::Tensor> next = kernel::rosenbrock_step(
      curves, steps.mtu, {found[0], found[1], activation, mtu_length_before}, activation,
      mtu_length, steps.time_step * kernel::share_before(1));
  const at::Tensor start =
      states(steps.before.fibre_length.unsqueeze(0), steps.before.fibre_velocity.unsqueeze(0));
  return implicit_trajectory(
             at::cat({states(taken.length, taken.velocity), found_end.unsqueeze(0)}),
             at::cat({start, states(next.fibre_length, next.fibre_velocity)}),
             partials_by(found, next), stepping)
      .select(0, n_sub_step);
}

}  // namespace

at::Tensor neural_activation(const MtuParameters<at::Tensor>& p, const TrialBatch& batch,
                             kernel::FilterStart start, Stepping stepping) {
  const Samples samples = sample_excitations(p.em_delay, batch);
  const at::Tensor e = kernel::amplified(p.emg_gain, samples.excitation);
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
  const Steps steps{mtu,
                    {found[0], found[1], before(activation), before(batch.mtu_length)},
                    after(activation),
                    after(batch.mtu_length),
                    batch.time.diff(1, 0).unsqueeze(1)};
  FibreState<at::Tensor> next = kernel::rosenbrock_step(curves, mtu, steps.before, steps.activation,
                                                        steps.mtu_length, steps.time_step);
  if (const SubSteps& taken = sweep.sub_steps; taken.place.defined()) {
    const auto flat = [](const at::Tensor& x) { return x.reshape(-1); };
    const auto found_end = [&](const at::Tensor& x) {
      return flat(after(x)).index_select(0, taken.place);
    };
    const at::Tensor end = after_sub_steps(
        curves, steps.some(taken.place), taken,
        at::stack({found_end(sweep.fibre.length), found_end(sweep.fibre.velocity)}), stepping);
    const auto put = [&](const at::Tensor& x, const at::Tensor& values) {
      return flat(x).index_copy(0, taken.place, values).view(x.sizes());
    };
    next.fibre_length = put(next.fibre_length, end[0]);
    next.fibre_velocity = put(next.fibre_velocity, end[1]);
  }
  const at::Tensor start = kernel::equilibrium_fibre_length(curves, mtu, sweep.start, activation[0],
                                                            batch.mtu_length[0]);
  const at::Tensor result =
      implicit_trajectory(states(sweep.fibre.length, sweep.fibre.velocity),
                          at::cat({states(start.unsqueeze(0), at::zeros_like(start).unsqueeze(0)),
                                   states(next.fibre_length, next.fibre_velocity)}),
                          partials_by(found, next), stepping);
  return {result.select(1, 0), result.select(1, 1)};
}

}  // namespace ceinms_torch::tensor
