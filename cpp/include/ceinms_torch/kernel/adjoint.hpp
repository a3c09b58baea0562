/// @file adjoint.hpp
/// The reverse sweep of simulate_lanes: gradients to parameters and to every excitation sample.
///
/// One step of the sweep needs the gradient of w . (f, grad f), where w are numbers that the
/// later steps hand down: eq. (A5) contains f of eq. (A6) and its first derivatives. That is
/// w_f grad f plus a Hessian-vector product, got by evaluating the gradient of f (a Dual over
/// its inputs) on numbers that carry the direction w (a Dual inside). The forces themselves are
/// those of tendon.hpp; nothing of the physics is written again.
#pragma once

#include "ceinms_torch/kernel/trajectory.hpp"

#include <cstddef>

namespace ceinms_torch::kernel {

namespace detail {

/// Inputs of the forces by which the sweep differentiates.
enum : std::size_t {
  g_length,
  g_velocity,
  g_activation,
  g_optimal_length,
  g_thickness,
  g_slack_length,
  g_peak_velocity,
  g_damping,
  g_percentage_change,
  n_gradient
};

/// The part of an Mtu that forces_at reads, each member a variable of its own.
template <class R>
struct SeededMtu {
  using T = Dual<R, 1>;
  template <std::size_t I>
  using Input = Dual<T, n_gradient, 1U << I>;

  struct Parameters {
    Input<g_optimal_length> optimal_fibre_length;
    Input<g_slack_length> tendon_slack_length;
    Input<g_damping> damping;
    Input<g_percentage_change> percentage_change;
  } parameters;
  Input<g_thickness> thickness;
  Input<g_peak_velocity> peak_velocity;

  explicit SeededMtu(const Mtu<R>& mtu)
      : parameters{seed<g_optimal_length>(mtu.parameters.optimal_fibre_length),
                   seed<g_slack_length>(mtu.parameters.tendon_slack_length),
                   seed<g_damping>(mtu.parameters.damping),
                   seed<g_percentage_change>(mtu.parameters.percentage_change)},
        thickness(seed<g_thickness>(mtu.thickness)),
        peak_velocity(seed<g_peak_velocity>(mtu.peak_velocity)) {}

  template <std::size_t I>
  static Input<I> seed(const R& value) {
    return variable<I, n_gradient>(T::constant(value), T::constant(R(1.0)));
  }
  template <std::size_t I>
  static Input<I> seed(const R& value, const R& direction) {
    return variable<I, n_gradient>(T{value, {direction}}, T::constant(R(1.0)));
  }
};

/// What one step of the fibre hands down to the one before.
template <class R>
struct StepAdjoint {
  R of_length = 0.0;  ///< adjoint of l1, zero where l1 was kept at its least
  R inverse_denominator = 0.0;
  R w = 0.0;  ///< weights of f and its derivatives in the gradient
  R w_length = 0.0;
  R w_velocity = 0.0;
  R w_activation = 0.0;
  R w_mtu_length = 0.0;
};

/// Adjoints of the quantities an Mtu derives from its parameters, and of its parameters.
template <class R>
struct MtuAdjoint {
  R optimal_length = 0.0;
  R thickness = 0.0;
  R slack_length = 0.0;
  R peak_velocity = 0.0;
  R damping = 0.0;
  R percentage_change = 0.0;
  R peak_force = 0.0;
  R least_length = 0.0;
  R shape_factor = 0.0;
  R beta1 = 0.0;
  R beta2 = 0.0;

  /// Chain rule from the derived quantities (Mtu, ActivationFilter) to the parameters.
  void add_to(MtuParameters<R>& gradient, const Mtu<R>& mtu) const {
    const MtuParameters<R>& p = mtu.parameters;
    const R share = least_length / mtu.least_fibre_length;
    const R of_thickness = thickness + share * mtu.thickness;
    constexpr double half_pi = 1.57079632679489661923;
    gradient.c1 += beta1 + p.c2 * beta2;
    gradient.c2 += beta1 + p.c1 * beta2;
    gradient.shape_factor += shape_factor;
    gradient.optimal_fibre_length += optimal_length + share * 0.01 * p.optimal_fibre_length +
                                     of_thickness * math::sin(p.pennation_angle) +
                                     peak_velocity * p.max_contraction_velocity;
    gradient.pennation_angle +=
        of_thickness * p.optimal_fibre_length * math::sin(R(p.pennation_angle + half_pi));
    gradient.tendon_slack_length += slack_length;
    gradient.max_isometric_force += peak_force * p.strength_coefficient;
    gradient.strength_coefficient += peak_force * p.max_isometric_force;
    gradient.max_contraction_velocity += peak_velocity * p.optimal_fibre_length;
    gradient.damping += damping;
    gradient.percentage_change += percentage_change;
  }
};

/// Reverse of the activation dynamics, eqs. (1) and (2), sample by sample from the last.
template <class R, class Input, class Trace, class Sink>
class ActivationAdjoint {
 public:
  ActivationAdjoint(const Mtu<R>& mtu, const Input& input, FilterStart start, const Trace& trace,
                    Sink& sink, MtuAdjoint<R>& adjoint)
      : input_(input),
        trace_(trace),
        sink_(sink),
        adjoint_(adjoint),
        restarts_(start == FilterStart::ceinms),
        filter_(mtu.parameters.c1, mtu.parameters.c2),
        activation_at_(variable<0, 2>(mtu.parameters.shape_factor, R(1.0))) {}

  /// Eq. (2) at a step with the adjoint of its activation, then eq. (1).
  void step(std::size_t k, const R& of_activation) {
    const std::size_t n = input_.n_run_in() + k;
    const auto a = activation_at_(variable<1, 2>(trace_.sample(n), R(1.0)));
    adjoint_.shape_factor += of_activation * a.partial[0];
    sample(n, of_activation * a.partial[1]);
  }

  /// Eq. (1) at the run-in samples; call after step(0, ...).
  void run_in() {
    for (std::size_t n = input_.n_run_in(); n-- > 0;) sample(n, R(0.0));
  }

 private:
  void sample(std::size_t n, const R& of_output) {
    R u1 = n >= 1 ? trace_.sample(n - 1) : R(0.0);
    R u2 = n >= 2 ? trace_.sample(n - 2) : R(0.0);
    if (restarts_ && n >= 2) {
      // A restart replaces both past values at its own sample and the older one at the next.
      if (input_.any_third(n)) {
        const R mean = restart_value(input_.excitation(n - 1), input_.excitation(n - 2));
        u1 = math::select(input_.is_third(n), mean, u1);
        u2 = math::select(input_.is_third(n), mean, u2);
      }
      if (n >= 3 && input_.any_third(n - 1)) {
        const R mean = restart_value(input_.excitation(n - 2), input_.excitation(n - 3));
        u2 = math::select(input_.is_third(n - 1), mean, u2);
      }
    }
    const R of_u = of_u1_ + of_output;
    const R e = input_.excitation(n);
    adjoint_.beta1 += of_u * (e - u1);
    adjoint_.beta2 += of_u * (e - u2);
    sink_.excitation(n, filter_.gain * of_u + of_e1_);
    of_u1_ = of_u2_ - filter_.beta1 * of_u;
    of_u2_ = -(filter_.beta2 * of_u);
    of_e1_ = of_e2_;
    of_e2_ = R(0.0);
    if (restarts_ && input_.any_third(n)) {
      const auto here = input_.is_third(n);
      const R of_mean = math::select(here, R(0.5 * (of_u1_ + of_u2_)), R(0.0));
      of_e1_ += of_mean;
      of_e2_ += of_mean;
      of_u1_ = math::select(here, R(0.0), of_u1_);
      of_u2_ = math::select(here, R(0.0), of_u2_);
    }
  }

  const Input& input_;
  const Trace& trace_;
  Sink& sink_;
  MtuAdjoint<R>& adjoint_;
  bool restarts_;
  FilterCoefficients<R> filter_;
  ExponentialActivation<Dual<R, 2, 1U>> activation_at_;
  R of_u1_ = 0.0;
  R of_u2_ = 0.0;
  R of_e1_ = 0.0;
  R of_e2_ = 0.0;
};

/// Weights of the step from k to k + 1, given the adjoints of l and v at k + 1.
template <class R, class Input, class Trace>
StepAdjoint<R> reverse_step(const Mtu<R>& mtu, const Input& input, const Trace& trace,
                            std::size_t k, const R& of_length, const R& of_velocity,
                            MtuAdjoint<R>& adjoint) {
  const R h = input.time_step(k + 1);
  const R& lmo = mtu.parameters.optimal_fibre_length;
  const R total = of_length + of_velocity / h;
  const R length = trace.fibre_length(k + 1);
  const auto moved = length > mtu.least_fibre_length;
  adjoint.least_length += math::select(moved, R(0.0), total);

  StepAdjoint<R> step;
  step.of_length = math::select(moved, total, R(0.0));
  const R denominator = trace.denominator(k);
  const R limit = -0.1 / lmo;
  const auto unlimited = denominator < limit;
  step.inverse_denominator = 1.0 / denominator;
  const R scaled = step.of_length * step.inverse_denominator;
  // (l1 - l0) d(denominator): by f_l and f_v, or, where it was limited, by lmo.
  const R by_denominator = -(scaled * (length - trace.fibre_length(k)));
  const R free = math::select(unlimited, by_denominator, R(0.0));
  adjoint.optimal_length += (by_denominator - free) * (0.1 / (lmo * lmo));
  step.w = -scaled;
  step.w_length = free;
  step.w_velocity = scaled * trace.fibre_velocity(k) + free / h;
  step.w_activation = -(scaled * (trace.activation(k + 1) - trace.activation(k)));
  step.w_mtu_length = -(scaled * (input.mtu_length(k + 1) - input.mtu_length(k)));
  return step;
}

}  // namespace detail

/// Gradients of a scalar that depends on what simulate_lanes gave out, Rosenbrock tendon.
///
/// @param trace     what the forward pass left: sample(n), activation(k), fibre_length(k),
///                  fibre_velocity(k), denominator(k)
/// @param seed      derivatives of the scalar: force(k), fibre_length(k), fibre_velocity(k),
///                  tendon_strain(k), activation(k)
/// @param sink      receives excitation(n, derivative) for every sample, from the last to the first
/// @param gradient  derivatives by the parameters are added to it; em_delay, which acts through
///                  the sampling of the excitations, is left to the caller
template <class R, class Table, class Input, class Trace, class Seed, class Sink>
void reverse_rosenbrock(const MtuCurves<Table>& curves, const Mtu<R>& mtu, const Input& input,
                        FilterStart start, const Trace& trace, const Seed& seed, Sink& sink,
                        MtuParameters<R>& gradient) {
  using namespace detail;
  using Seeded = SeededMtu<R>;
  const Seeded seeded(mtu);
  MtuAdjoint<R> adjoint;
  ActivationAdjoint<R, Input, Trace, Sink> activation(mtu, input, start, trace, sink, adjoint);

  StepAdjoint<R> step;     // from k to k + 1
  R carried_length = 0.0;  // adjoints of l and v at k that do not pass through f
  R pending_activation = 0.0;
  const std::size_t n_step = input.n_step();
  for (std::size_t k = n_step; k-- > 0;) {
    const auto forces = forces_at(
        curves, seeded, Seeded::template seed<g_length>(trace.fibre_length(k), step.w_length),
        Seeded::template seed<g_velocity>(trace.fibre_velocity(k), step.w_velocity),
        Seeded::template seed<g_activation>(trace.activation(k), step.w_activation),
        typename Seeded::T{input.mtu_length(k), {step.w_mtu_length}});
    const auto f = forces.imbalance();
    const R of_force = mtu.peak_force * seed.force(k);
    const R of_strain = seed.tendon_strain(k);
    adjoint.peak_force += seed.force(k) * forces.muscle.value.value;
    // At the start f = 0 ties l to everything else, instead of a step that led there.
    R w = step.w;
    const auto gather = [&](auto i) {
      R sum = w * f.partial[i].value + f.partial[i].partial[0];
      if constexpr (in_mask<std::decay_t<decltype(forces.muscle)>::mask, i>)
        sum += of_force * forces.muscle.partial[i].value;
      if constexpr (in_mask<std::decay_t<decltype(forces.strain)>::mask, i>)
        sum += of_strain * forces.strain.partial[i].value;
      return sum;
    };
    using std::integral_constant;
    const R direct = step.of_length * step.inverse_denominator;
    const R f_a = f.partial[g_activation].value;
    const R of_length =
        gather(integral_constant<std::size_t, g_length>{}) + carried_length + seed.fibre_length(k);
    const R of_velocity = gather(integral_constant<std::size_t, g_velocity>{}) +
                          direct * f.partial[g_velocity].value + seed.fibre_velocity(k);
    R of_activation =
        gather(integral_constant<std::size_t, g_activation>{}) + direct * f_a + seed.activation(k);
    if (k + 1 < n_step) activation.step(k + 1, pending_activation - direct * f_a);
    if (k == 0) {
      const auto balanced = trace.fibre_length(0) > mtu.least_fibre_length;
      adjoint.least_length += math::select(balanced, R(0.0), of_length);
      const R tied = math::select(balanced, R(-(of_length / f.partial[g_length].value)), R(0.0));
      of_activation += tied * f_a;
      w = w + tied;
    }
    adjoint.optimal_length += gather(integral_constant<std::size_t, g_optimal_length>{});
    adjoint.thickness += gather(integral_constant<std::size_t, g_thickness>{});
    adjoint.slack_length += gather(integral_constant<std::size_t, g_slack_length>{});
    adjoint.peak_velocity += gather(integral_constant<std::size_t, g_peak_velocity>{});
    adjoint.damping += gather(integral_constant<std::size_t, g_damping>{});
    adjoint.percentage_change += gather(integral_constant<std::size_t, g_percentage_change>{});
    pending_activation = of_activation;
    if (k == 0) break;
    step = reverse_step(mtu, input, trace, k - 1, of_length, of_velocity, adjoint);
    carried_length = step.of_length - of_velocity / input.time_step(k);
  }
  activation.step(0, pending_activation);
  activation.run_in();
  adjoint.add_to(gradient, mtu);
}

/// The same for the stiff tendon, where no step depends on the one before.
template <class R, class Table, class Input, class Trace, class Seed, class Sink>
void reverse_stiff(const MtuCurves<Table>& curves, const Mtu<R>& mtu, const Input& input,
                   FilterStart start, const Trace& trace, const Seed& seed, Sink& sink,
                   MtuParameters<R>& gradient) {
  using namespace detail;
  using D = Dual<R, 7>;
  const MtuParameters<R>& p = mtu.parameters;
  const auto input_number = [](const R& value, std::size_t i) {
    return D::variable(value, R(1.0), i);
  };
  MtuParameters<D> seeded = MtuParameters<D>::from([](ParameterKind) { return D{}; });
  seeded.optimal_fibre_length = input_number(p.optimal_fibre_length, 1);
  seeded.pennation_angle = input_number(p.pennation_angle, 2);
  seeded.tendon_slack_length = input_number(p.tendon_slack_length, 3);
  seeded.max_contraction_velocity = input_number(p.max_contraction_velocity, 4);
  seeded.damping = input_number(p.damping, 5);
  seeded.percentage_change = input_number(p.percentage_change, 6);
  seeded.max_isometric_force = D::constant(R(1.0));
  seeded.strength_coefficient = D::constant(R(1.0));
  const Mtu<D> dual(seeded);

  MtuAdjoint<R> adjoint;
  ActivationAdjoint<R, Input, Trace, Sink> activation(mtu, input, start, trace, sink, adjoint);
  for (std::size_t k = input.n_step(); k-- > 0;) {
    const R lmt = input.mtu_length(k);
    const D length = stiff_fibre_length<D>(dual, lmt);
    const D velocity = stiff_fibre_velocity(dual, length, lmt, input.mtu_velocity(k));
    const FibreState<D> state{length, velocity, input_number(trace.activation(k), 0),
                              D::constant(lmt)};
    const D cos_alpha = cos_pennation(dual, length);
    const D strain = tendon_strain(dual, length, cos_alpha, lmt);
    const D force = mtu_force(curves, dual, state, cos_alpha, TendonModel::stiff);
    const R of_force = seed.force(k) * mtu.peak_force;
    adjoint.peak_force += seed.force(k) * force.value;
    const auto of = [&](std::size_t i) {
      return R(of_force * force.partial[i] + seed.fibre_length(k) * length.partial[i] +
               seed.fibre_velocity(k) * velocity.partial[i] +
               seed.tendon_strain(k) * strain.partial[i]);
    };
    gradient.optimal_fibre_length += of(1);
    gradient.pennation_angle += of(2);
    gradient.tendon_slack_length += of(3);
    gradient.max_contraction_velocity += of(4);
    gradient.damping += of(5);
    gradient.percentage_change += of(6);
    activation.step(k, of(0) + seed.activation(k));
  }
  activation.run_in();
  adjoint.add_to(gradient, mtu);
}

/// Gradients through simulate_lanes for either tendon; see reverse_rosenbrock.
template <class R, class Table, class Input, class Trace, class Seed, class Sink>
void reverse_lanes(const MtuCurves<Table>& curves, const Mtu<R>& mtu, const Input& input,
                   const SimulationOptions& options, const Trace& trace, const Seed& seed,
                   Sink& sink, MtuParameters<R>& gradient) {
  if (options.tendon == TendonModel::stiff)
    reverse_stiff(curves, mtu, input, options.filter_start, trace, seed, sink, gradient);
  else
    reverse_rosenbrock(curves, mtu, input, options.filter_start, trace, seed, sink, gradient);
}

}  // namespace ceinms_torch::kernel
