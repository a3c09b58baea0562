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

#include <array>
#include <cstddef>
#include <type_traits>

namespace ceinms_torch::kernel {

namespace detail {

/// Inputs of the forces over F0 S by which the sweep differentiates: the state, what an Mtu derives
/// from its parameters, and the parameters with the role `force`.
enum : std::size_t {
  g_length,
  g_velocity,
  g_activation,
  g_thickness,
  g_peak_velocity,
  g_parameter  ///< the first of them
};
inline constexpr std::size_t n_input = g_parameter + count_of(ParameterRole::force);

/// Place of a parameter among the inputs; n_input if it is none.
constexpr std::size_t input_of(ParameterKind kind) noexcept {
  constexpr auto role = ParameterRole::force;
  const std::size_t i = index_of(kind);
  return parameter_roles[i] == role ? g_parameter + count_of(role, i) : n_input;
}

/// Parameters, each with a place below N a variable of its own. An equation that reads one of the
/// others does not compile: it is in want of its role.
template <class T, std::size_t N, std::size_t (*place)(ParameterKind) noexcept>
struct Variables {
  struct None {};
  template <ParameterKind kind>
  static auto make(const auto& value) {
    if constexpr (place(kind) < N)
      return variable<place(kind), N>(math::lift<T>(value),
                                      math::lift<T>(std::decay_t<decltype(value)>(1.0)));
    else
      return None{};
  }
#define CEINMS_TORCH_MEMBER(name, role) decltype(make<ParameterKind::name>(T{})) name;
  CEINMS_TORCH_PARAMETER_KINDS(CEINMS_TORCH_MEMBER)
#undef CEINMS_TORCH_MEMBER

  template <class R>
  static Variables of(const MtuParameters<R>& p) {
#define CEINMS_TORCH_MAKE(name, role) make<ParameterKind::name>(p.name),
    return {CEINMS_TORCH_PARAMETER_KINDS(CEINMS_TORCH_MAKE)};
#undef CEINMS_TORCH_MAKE
  }
};

/// The part of an Mtu that forces over F0 S read, each member a variable of its own over T: the
/// number type R, or a Dual of it that carries a direction.
template <class R, class T>
struct SeededMtu {
  template <std::size_t I>
  using Input = Dual<T, n_input, 1U << I>;

  Variables<T, n_input, input_of> parameters;
  Input<g_thickness> thickness;
  Input<g_peak_velocity> peak_velocity;
  double isometric_force = 1.0;

  explicit SeededMtu(const Mtu<R>& mtu)
      : parameters(Variables<T, n_input, input_of>::of(mtu.parameters)),
        thickness(seed<g_thickness>(mtu.thickness)),
        peak_velocity(seed<g_peak_velocity>(mtu.peak_velocity)) {}

  template <std::size_t I>
  static Input<I> seed(const R& value) {
    return variable<I, n_input>(math::lift<T>(value), math::lift<T>(R(1.0)));
  }
  template <std::size_t I>
  static Input<I> seed(const R& value, const R& direction) {
    return variable<I, n_input>(T{value, {direction}}, math::lift<T>(R(1.0)));
  }
};

/// Adds to `sum` the partial of `x` by an input times `weight`, if it can differ from zero.
template <std::size_t I, class R, class T, unsigned M>
void add_partial(R& sum, const R& weight, const Dual<T, n_input, M>& x) {
  if constexpr (in_mask<M, I>) sum += weight * math::detach(x.partial[I]);
}

/// Calls f(integral_constant<I>) for what an Mtu derives from its parameters, and for these.
template <class Function>
void for_mtu_inputs(const Function& f) {
  for_partials<n_input, all_partials<n_input> & ~((1U << g_thickness) - 1U)>(f);
}

/// What one step of the fibre hands down to the one before.
template <class R>
struct StepAdjoint {
  R of_length = 0.0;       ///< adjoint of l1, zero where l1 was kept at its least
  R carried_length = 0.0;  ///< adjoints of l0, v0 and a0 that do not pass through f there
  R carried_velocity = 0.0;
  R carried_activation = 0.0;
  R inverse_denominator = 0.0;
  R w = 0.0;  ///< weights of f and its derivatives in the gradient
  R w_length = 0.0;
  R w_velocity = 0.0;
  R w_activation = 0.0;
  R w_mtu_length = 0.0;
};

/// Adjoints of what the forces and the activation are computed from.
template <class R>
struct MtuAdjoint {
  std::array<R, n_input> of_input{};  ///< those of the state are not used
  R isometric_force = 0.0;
  R least_length = 0.0;
  R denominator_limit = 0.0;
  R shape_factor = 0.0;
  R emg_gain = 0.0;
  R beta1 = 0.0;
  R beta2 = 0.0;

  MtuAdjoint& operator+=(const MtuAdjoint& other) {
    for (std::size_t i = 0; i < n_input; ++i) of_input[i] += other.of_input[i];
    isometric_force += other.isometric_force;
    least_length += other.least_length;
    denominator_limit += other.denominator_limit;
    shape_factor += other.shape_factor;
    beta1 += other.beta1;
    beta2 += other.beta2;
    return *this;
  }

  /// Chain rule to the parameters, through what Mtu and ActivationFilter derive from them.
  MtuParameters<R> gradient(const Mtu<R>& mtu) const {
    constexpr std::size_t n = n_parameter_kind;
    const auto p = Variables<R, n, index_of>::of(mtu.parameters);
    std::array<R, n> sum{};
    const auto add = [&]<unsigned M>(const R& adjoint, const Dual<R, n, M>& quantity) {
      for_partials<n, M>([&](auto i) { sum[i] += adjoint * quantity.partial[i]; });
    };
    add(of_input[g_thickness], thickness_of(p));
    add(of_input[g_peak_velocity], peak_velocity_of(p));
    add(isometric_force, isometric_force_of(p));
    add(least_length, least_fibre_length_of(p, thickness_of(p)));
    add(denominator_limit, denominator_limit_of(p));
    add(shape_factor, p.shape_factor);
    add(emg_gain, p.emg_gain);
    add(beta1, p.c1 + p.c2);
    add(beta2, p.c1 * p.c2);
    return MtuParameters<R>::from([&](auto kind) {
      R result = sum[index_of(kind)];
      if constexpr (input_of(kind) < n_input) result += of_input[input_of(kind)];
      return result;
    });
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
        emg_gain_(variable<0, 2>(mtu.parameters.emg_gain, R(1.0))),
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
  /// What the filter takes at a sample.
  R excitation(std::size_t n) const { return amplified(emg_gain_.value, input_.excitation(n)); }
  void sample(std::size_t n, const R& of_output) {
    R u1 = n >= 1 ? trace_.sample(n - 1) : R(0.0);
    R u2 = n >= 2 ? trace_.sample(n - 2) : R(0.0);
    if (restarts_ && n >= 2) {
      // A restart replaces both past values at its own sample and the older one at the next.
      if (input_.any_third(n)) {
        const R mean = restart_value(excitation(n - 1), excitation(n - 2));
        u1 = math::select(input_.is_third(n), mean, u1);
        u2 = math::select(input_.is_third(n), mean, u2);
      }
      if (n >= 3 && input_.any_third(n - 1)) {
        const R mean = restart_value(excitation(n - 2), excitation(n - 3));
        u2 = math::select(input_.is_third(n - 1), mean, u2);
      }
    }
    const R of_u = of_u1_ + of_output;
    const auto e = amplified(emg_gain_, variable<1, 2>(input_.excitation(n), R(1.0)));
    adjoint_.beta1 += of_u * (e.value - u1);
    adjoint_.beta2 += of_u * (e.value - u2);
    const R of_e = filter_.gain * of_u + of_e1_;
    adjoint_.emg_gain += of_e * e.partial[0];
    sink_.excitation(n, of_e * e.partial[1]);
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
  Dual<R, 2, 1U> emg_gain_;
  ExponentialActivation<Dual<R, 2, 1U>> activation_at_;
  R of_u1_ = 0.0;
  R of_u2_ = 0.0;
  R of_e1_ = 0.0;
  R of_e2_ = 0.0;
};

/// Weights of a step from `before` to the length `after`, given the adjoints of l and v after it.
template <class R>
StepAdjoint<R> reverse_step(const Mtu<R>& mtu, const FibreState<R>& before,
                            const FibreState<R>& after, const R& denominator, const R& h,
                            const R& of_length, const R& of_velocity, MtuAdjoint<R>& adjoint) {
  const R inverse_h = 1.0 / h;
  const R total = of_length + of_velocity * inverse_h;
  const auto moved = after.fibre_length > mtu.least_fibre_length;
  adjoint.least_length += math::select(moved, R(0.0), total);

  StepAdjoint<R> step;
  step.of_length = math::select(moved, total, R(0.0));
  step.carried_length = step.of_length - of_velocity * inverse_h;
  const auto unlimited = denominator < mtu.denominator_limit;
  step.inverse_denominator = 1.0 / denominator;
  const R scaled = step.of_length * step.inverse_denominator;
  // (l1 - l0) d(denominator): by f_l and f_v, or, where it was limited, by the limit.
  const R by_denominator = -(scaled * (after.fibre_length - before.fibre_length));
  const R free = math::select(unlimited, by_denominator, R(0.0));
  adjoint.denominator_limit += by_denominator - free;
  step.w = -scaled;
  step.w_length = free;
  step.w_velocity = scaled * before.fibre_velocity + free * inverse_h;
  step.w_activation = -(scaled * (after.activation - before.activation));
  step.w_mtu_length = -(scaled * (after.mtu_length - before.mtu_length));
  return step;
}

/// The forces over F0 S at a state, with the weights of the step that follows as direction.
template <class R, class Table, class Seeded>
auto weighted_forces(const MtuCurves<Table>& curves, const Seeded& seeded,
                     const FibreState<R>& state, const StepAdjoint<R>& step) {
  using T = Dual<R, 1>;
  return forces_at(curves, seeded,
                   Seeded::template seed<g_length>(state.fibre_length, step.w_length),
                   Seeded::template seed<g_velocity>(state.fibre_velocity, step.w_velocity),
                   Seeded::template seed<g_activation>(state.activation, step.w_activation),
                   T{state.mtu_length, {step.w_mtu_length}});
}

/// Adds to `sum` the share of f and its derivatives in the adjoint of an input.
template <std::size_t I, class R, unsigned M>
void add_weighted(R& sum, const R& w, const Dual<Dual<R, 1>, n_input, M>& f) {
  if constexpr (in_mask<M, I>) sum += w * f.partial[I].value + f.partial[I].partial[0];
}

/// Adjoints of what a step in sub-steps is computed from.
template <class R>
struct SubStepsAdjoint {
  R fibre_length = 0.0;
  R fibre_velocity = 0.0;
  R activation = 0.0;       ///< before the step
  R next_activation = 0.0;  ///< after it
  MtuAdjoint<R> mtu;
};

/// Reverse of rosenbrock_sub_steps, which runs once more, given the adjoints of l and v after it;
/// both are zero where there was no need of it. Out of line, too.
template <class R, class Table, class Seeded>
[[gnu::noinline]] SubStepsAdjoint<R> reverse_sub_steps(const MtuCurves<Table>& curves,
                                                       const Mtu<R>& mtu, const Seeded& seeded,
                                                       const FibreState<R>& before,
                                                       const FibreState<R>& after, const R& h,
                                                       const R& of_length, const R& of_velocity) {
  std::array<FibreState<R>, n_sub_step + 1> states;
  std::array<R, n_sub_step> denominators;
  states[n_sub_step] =
      rosenbrock_sub_steps(curves, mtu, before, after.activation, after.mtu_length, h,
                           [&](std::size_t i, const FibreState<R>& state, const R& denominator) {
                             states[i] = state;
                             denominators[i] = denominator;
                           });
  const R part = h * share_before(1);
  SubStepsAdjoint<R> result;
  result.fibre_length = of_length;
  result.fibre_velocity = of_velocity;
  for (std::size_t i = n_sub_step; i-- > 0;) {
    FibreState<R> end = states[i + 1];
    end.activation = states[i].activation;  // the sub-step was linearised where this ends
    const StepAdjoint<R> step =
        reverse_step(mtu, states[i], end, denominators[i], part, result.fibre_length,
                     result.fibre_velocity, result.mtu);
    const auto f = weighted_forces(curves, seeded, states[i], step).imbalance();
    R of_activation = 0.0;
    result.fibre_length = step.carried_length;
    result.fibre_velocity = step.of_length * step.inverse_denominator * f.partial[g_velocity].value;
    add_weighted<g_length>(result.fibre_length, step.w, f);
    add_weighted<g_velocity>(result.fibre_velocity, step.w, f);
    add_weighted<g_activation>(of_activation, step.w, f);
    for_mtu_inputs([&](auto j) { add_weighted<j>(result.mtu.of_input[j], step.w, f); });
    const R later = of_activation * share_before(i + 1);
    result.next_activation += later;
    result.activation += of_activation - later;
  }
  return result;
}

}  // namespace detail

/// Gradients of a scalar that depends on what simulate_lanes gave out, Rosenbrock tendon.
///
/// @param trace     what the forward pass left: sample(n), activation(k), fibre_length(k),
///                  fibre_velocity(k), denominator(k) as a FibreStep has it
/// @param seed      derivatives of the scalar: force(k), fibre_length(k), fibre_velocity(k),
///                  tendon_strain(k), activation(k)
/// @param sink      receives excitation(n, derivative) for every sample, from the last to the first
/// @return          derivatives by the parameters; zero for em_delay, which acts through the
///                  sampling of the excitations and is left to the caller
template <class R, class Table, class Input, class Trace, class Seed, class Sink>
MtuParameters<R> reverse_rosenbrock(const MtuCurves<Table>& curves, const Mtu<R>& mtu,
                                    const Input& input, FilterStart start, const Trace& trace,
                                    const Seed& seed, Sink& sink) {
  using namespace detail;
  const SeededMtu<R, Dual<R, 1>> seeded(mtu);
  MtuAdjoint<R> adjoint;
  ActivationAdjoint<R, Input, Trace, Sink> activation(mtu, input, start, trace, sink, adjoint);

  const auto state_at = [&](std::size_t k) {
    return FibreState<R>{trace.fibre_length(k), trace.fibre_velocity(k), trace.activation(k),
                         input.mtu_length(k)};
  };

  StepAdjoint<R> step;  // from k to k + 1
  R pending_activation = 0.0;
  const std::size_t n_step = input.n_step();
  for (std::size_t k = n_step; k-- > 0;) {
    const FibreState<R> state = state_at(k);
    const auto forces = weighted_forces(curves, seeded, state, step);
    const auto f = forces.imbalance();
    const R of_force = mtu.isometric_force * seed.force(k);
    const R of_strain = seed.tendon_strain(k);
    adjoint.isometric_force += seed.force(k) * forces.muscle.value.value;
    // At the start f = 0 ties l to everything else, instead of a step that led there.
    R w = step.w;
    const auto add_to = [&](R& sum, auto i) {
      add_weighted<i>(sum, w, f);
      add_partial<i>(sum, of_force, forces.muscle);
      add_partial<i>(sum, of_strain, forces.strain);
    };
    using std::integral_constant;
    const R direct = step.of_length * step.inverse_denominator;
    const R f_a = f.partial[g_activation].value;
    R of_length = step.carried_length + seed.fibre_length(k);
    R of_velocity =
        step.carried_velocity + direct * f.partial[g_velocity].value + seed.fibre_velocity(k);
    R of_activation = step.carried_activation + direct * f_a + seed.activation(k);
    add_to(of_length, integral_constant<std::size_t, g_length>{});
    add_to(of_velocity, integral_constant<std::size_t, g_velocity>{});
    add_to(of_activation, integral_constant<std::size_t, g_activation>{});
    if (k + 1 < n_step) activation.step(k + 1, pending_activation - direct * f_a);
    if (k == 0) {
      const auto balanced = state.fibre_length > mtu.least_fibre_length;
      adjoint.least_length += math::select(balanced, R(0.0), of_length);
      const R tied = math::select(balanced, R(-(of_length / f.partial[g_length].value)), R(0.0));
      of_activation += tied * f_a;
      w = w + tied;
    }
    for_mtu_inputs([&](auto i) { add_to(adjoint.of_input[i], i); });
    pending_activation = of_activation;
    if (k == 0) break;

    const R h = input.time_step(k);
    const R denominator = trace.denominator(k - 1);
    const FibreState<R> before = state_at(k - 1);
    const auto whole = denominator < R(0.0);
    if (math::all<R>(whole)) [[likely]] {
      step = reverse_step(mtu, before, state, denominator, h, of_length, of_velocity, adjoint);
      continue;
    }
    const R zero = 0.0;
    // Copies, as in elastic_step.
    const FibreState<R> from = before;
    const FibreState<R> to = state;
    const SubStepsAdjoint<R> divided = reverse_sub_steps(curves, mtu, seeded, from, to, R(h),
                                                         R(math::select(whole, zero, of_length)),
                                                         R(math::select(whole, zero, of_velocity)));
    adjoint += divided.mtu;
    step = reverse_step(mtu, before, state, R(math::select(whole, denominator, R(-1.0))), h,
                        R(math::select(whole, of_length, zero)),
                        R(math::select(whole, of_velocity, zero)), adjoint);
    step.carried_length += divided.fibre_length;
    step.carried_velocity = divided.fibre_velocity;
    step.carried_activation = divided.activation;
    pending_activation += divided.next_activation;
  }
  activation.step(0, pending_activation);
  activation.run_in();
  return adjoint.gradient(mtu);
}

/// The same for the stiff tendon, where no step depends on the one before.
template <class R, class Table, class Input, class Trace, class Seed, class Sink>
MtuParameters<R> reverse_stiff(const MtuCurves<Table>& curves, const Mtu<R>& mtu,
                               const Input& input, FilterStart start, const Trace& trace,
                               const Seed& seed, Sink& sink) {
  using namespace detail;
  using Seeded = SeededMtu<R, R>;
  const Seeded seeded(mtu);
  MtuAdjoint<R> adjoint;
  ActivationAdjoint<R, Input, Trace, Sink> activation(mtu, input, start, trace, sink, adjoint);
  for (std::size_t k = input.n_step(); k-- > 0;) {
    const R lmt = input.mtu_length(k);
    const auto length = stiff_fibre_length(seeded, lmt);
    const auto velocity = stiff_fibre_velocity(seeded, length, lmt, input.mtu_velocity(k));
    const auto cos_alpha = cos_pennation(seeded, length);
    const auto strain = tendon_strain(seeded, length, cos_alpha, lmt);
    const FibreState state{length, velocity,
                           Seeded::template seed<g_activation>(trace.activation(k)), lmt};
    const auto force = mtu_force(curves, seeded, state, cos_alpha, TendonModel::stiff);
    const R of_force = seed.force(k) * mtu.isometric_force;
    adjoint.isometric_force += seed.force(k) * force.value;
    const auto add_to = [&](R& sum, auto i) {
      add_partial<i>(sum, of_force, force);
      add_partial<i>(sum, seed.fibre_length(k), length);
      add_partial<i>(sum, seed.fibre_velocity(k), velocity);
      add_partial<i>(sum, seed.tendon_strain(k), strain);
    };
    for_mtu_inputs([&](auto i) { add_to(adjoint.of_input[i], i); });
    R of_activation = seed.activation(k);
    add_to(of_activation, std::integral_constant<std::size_t, g_activation>{});
    activation.step(k, of_activation);
  }
  activation.run_in();
  return adjoint.gradient(mtu);
}

/// Gradients through simulate_lanes for either tendon; see reverse_rosenbrock.
template <class R, class Table, class Input, class Trace, class Seed, class Sink>
MtuParameters<R> reverse_lanes(const MtuCurves<Table>& curves, const Mtu<R>& mtu,
                               const Input& input, const SimulationOptions& options,
                               const Trace& trace, const Seed& seed, Sink& sink) {
  if (options.tendon == TendonModel::stiff)
    return reverse_stiff(curves, mtu, input, options.filter_start, trace, seed, sink);
  return reverse_rosenbrock(curves, mtu, input, options.filter_start, trace, seed, sink);
}

}  // namespace ceinms_torch::kernel
