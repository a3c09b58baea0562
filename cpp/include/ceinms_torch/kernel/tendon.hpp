/// @file tendon.hpp
/// Where muscle and tendon meet: static equilibrium, Rosenbrock step (A1-A6), stiff tendon.
#pragma once

#include "ceinms_torch/kernel/dual.hpp"
#include "ceinms_torch/kernel/muscle.hpp"
#include "ceinms_torch/kernel/number.hpp"

#include <cstddef>
#include <type_traits>
#include <utility>

namespace ceinms_torch::kernel {

/// How fibre length follows from MTU length.
enum class TendonModel { stiff, rosenbrock };

/// Tendon strain [-]: (lt - lts) / lts with lt = lmt - l cos(alpha).
template <class L, class C, class X, class M>
auto tendon_strain(const M& mtu, const L& fibre_length, const C& cos_alpha, const X& mtu_length) {
  return (mtu_length - fibre_length * cos_alpha) / mtu.parameters.tendon_slack_length - 1.0;
}

/// The forces on either side of the fibre's end, over F0 S, and the tendon strain.
template <class T, class F, class E>
struct Forces {
  T tendon;  ///< F^t
  F muscle;  ///< F^m of eq. (3), cosine included
  E strain;  ///< [-]

  /// Eq. (A6): f = F^t - F^m, zero when muscle and tendon pull alike.
  auto imbalance() const { return tendon - muscle; }
};

/// Muscle and tendon force at a fibre length, velocity, activation and MTU length.
///
/// The velocity is not clamped to +-vmax here, as it is in CEINMS: the damping term must keep
/// its slope for the Rosenbrock step to be defined.
template <class L, class V, class A, class X, class M, class Table>
auto forces_at(const MtuCurves<Table>& curves, const M& mtu, const L& fibre_length,
               const V& fibre_velocity, const A& activation, const X& mtu_length) {
  const auto cos_alpha = cos_pennation(mtu, fibre_length);
  const auto strain = tendon_strain(mtu, fibre_length, cos_alpha, mtu_length);
  const auto tendon =
      math::scaled_lookup(curves.tendon_force_strain, strain, mtu.parameters.tendon_stiffness);
  const auto muscle =
      fibre_force(curves, mtu, fibre_length, fibre_velocity / mtu.peak_velocity, activation) *
      cos_alpha;
  return Forces<std::decay_t<decltype(tendon)>, std::decay_t<decltype(muscle)>,
                std::decay_t<decltype(strain)>>{tendon, muscle, strain};
}

/// Eq. (A6) over F0 S: f(l, v, a; lmt) = F^t - F^m.
template <class L, class V, class A, class X, class M, class Table>
auto force_imbalance(const MtuCurves<Table>& curves, const M& mtu, const L& fibre_length,
                     const V& fibre_velocity, const A& activation, const X& mtu_length) {
  return forces_at(curves, mtu, fibre_length, fibre_velocity, activation, mtu_length).imbalance();
}

/// What the Rosenbrock step carries from one instant to the next.
template <class L, class V = L, class A = L, class X = L>
struct FibreState {
  L fibre_length;    ///< l [m]
  V fibre_velocity;  ///< v [m/s]
  A activation;      ///< a [-]
  X mtu_length;      ///< lmt [m]
};

/// The state `a` where `condition` holds, `b` elsewhere.
template <class T, class Condition>
FibreState<T> select_state(const Condition& condition, const FibreState<T>& a,
                           const FibreState<T>& b) {
  return {math::select(condition, a.fibre_length, b.fibre_length),
          math::select(condition, a.fibre_velocity, b.fibre_velocity),
          math::select(condition, a.activation, b.activation),
          math::select(condition, a.mtu_length, b.mtu_length)};
}

/// Inputs of f by which the Rosenbrock step differentiates.
enum : std::size_t { by_length, by_velocity, by_activation, by_mtu_length };

/// Fibre length of the stiff tendon (reference C.5). As in CEINMS the sign of lmt - lts is
/// lost: a slack MTU gets a long fibre. Callers warn about lmt < lts.
template <class M, class X>
auto stiff_fibre_length(const M& mtu, const X& mtu_length) {
  const auto along = mtu_length - mtu.parameters.tendon_slack_length;
  // At lmt = lts without pennation the length would be 0 and its derivatives would not exist.
  return math::sqrt(math::at_least(math::square(mtu.thickness) + math::square(along), 1e-12));
}

/// Fibre velocity of the stiff tendon: the exact time derivative of its fibre length.
template <class L, class M, class X>
auto stiff_fibre_velocity(const M& mtu, const L& fibre_length, const X& mtu_length,
                          const X& mtu_velocity) {
  return (mtu_length - mtu.parameters.tendon_slack_length) * mtu_velocity / fibre_length;
}

/// Where f(l, 0, a; lmt) = 0, with what a derivative of it needs. `T` carries none.
template <class T, class Condition>
struct StaticEquilibrium {
  T length;               ///< l [m]
  T slope;                ///< f_l there [1/m]
  Condition can_balance;  ///< false: slack even at the least fibre length, where the fibre stays
};

/// Static equilibrium of numbers without derivatives.
///
/// Newton's method kept inside a bracket; a step that would leave it, and every other step once
/// Newton has had its chance, halves the bracket instead. The lower end is the least fibre
/// length (an MTU that is slack even there stays there), the upper end the length at which the
/// tendon's strain is -1 %, where f < 0 even if the muscle's curves dip below zero.
template <class R, class Table>
auto static_equilibrium(const MtuCurves<Table>& curves, const Mtu<R>& mtu, const R& activation,
                        const R& mtu_length) {
  constexpr int newton_only = 20;
  constexpr int max_iterations = 60;
  constexpr double converged = 1e-13;  // [m]

  const R zero = 0.0 * activation;
  const R one = 1.0 + zero;
  const auto imbalance = [&](const R& length) {
    return force_imbalance(curves, mtu, variable<0, 1>(length, one), zero, activation, mtu_length);
  };

  const R lowest = mtu.least_fibre_length * one;
  const R slack_length =
      stiff_fibre_length(mtu, R(mtu_length + 0.01 * mtu.parameters.tendon_slack_length));
  const auto can_balance = imbalance(lowest).value > 0.0;
  R low = lowest;
  R high = math::select(slack_length > lowest, slack_length, R(2.0 * lowest));
  R length = 0.5 * (low + high);
  auto f = imbalance(length);
  for (int i = 0; i < max_iterations; ++i) {
    const auto too_short = f.value > 0.0;
    low = math::select(too_short, length, low);
    high = math::select(too_short, high, length);
    const R correction = -f.value / f.partial[0];
    const R newton = length + correction;
    const auto settled = math::both<R>(correction > -converged, correction < converged);
    const auto inside = math::both<R>(newton > low, newton < high);
    const R middle = 0.5 * (low + high);
    const bool halve = i >= newton_only && i % 2 == 0;
    const R next =
        math::select(settled, newton, halve ? middle : math::select(inside, newton, middle));
    const R step = next - length;
    length = next;
    f = imbalance(length);
    if (math::all<R>(math::square(step) < converged * converged)) break;
  }
  return StaticEquilibrium<R, std::decay_t<decltype(can_balance)>>{length, f.partial[0],
                                                                   can_balance};
}

/// An equilibrium that was found, with its derivatives by the implicit function theorem: one more
/// Newton step from the root, in which only f carries derivatives.
template <class T, class P, class R, class Condition, class Table>
T equilibrium_fibre_length(const MtuCurves<Table>& curves, const Mtu<P>& mtu,
                           const StaticEquilibrium<R, Condition>& found, const T& activation,
                           const T& mtu_length) {
  const T root = math::lift<T>(found.length);
  const T rest = math::lift<T>(R(0.0 * found.length));
  const T implicit =
      root - force_imbalance(curves, mtu, root, rest, activation, mtu_length) / found.slope;
  return math::select(found.can_balance, implicit, T(mtu.least_fibre_length + rest));
}

/// Static equilibrium f(l, 0, a; lmt) = 0: where a trial starts.
template <class T, class P, class Table>
T equilibrium_fibre_length(const MtuCurves<Table>& curves, const Mtu<P>& mtu, const T& activation,
                           const T& mtu_length) {
  const auto fixed = detached(mtu);
  const auto found =
      static_equilibrium(curves, fixed, math::detach(activation), math::detach(mtu_length));
  return equilibrium_fibre_length(curves, mtu, found, activation, mtu_length);
}

/// Forces at a state with the partial derivatives of f that the Rosenbrock step needs.
template <class T, class M, class Table>
auto forces_with_partials(const MtuCurves<Table>& curves, const M& mtu,
                          const FibreState<T>& state) {
  const T one = math::lift<T>(1.0 + 0.0 * math::detach(state.fibre_length));
  return forces_at(curves, mtu, variable<by_length, 4>(state.fibre_length, one),
                   variable<by_velocity, 4>(state.fibre_velocity, one),
                   variable<by_activation, 4>(state.activation, one),
                   variable<by_mtu_length, 4>(state.mtu_length, one));
}

/// The denominator of eq. (A5), f_l + f_v / h, and the limit that keeps it away from zero.
///
/// In a muscle that holds its tendon it is negative; where it would not be (a slack tendon on
/// the descending limb) it is kept at -0.1 / lmo.
template <class T, class M, class H>
T rosenbrock_denominator(const M& mtu, const Dual<T, 4>& f, const H& h) {
  const T denominator = f.partial[by_length] + f.partial[by_velocity] / h;
  return math::select(denominator < mtu.denominator_limit, denominator, mtu.denominator_limit);
}

/// Eq. (A5) with the muscle-tendon length term: fibre state one time step later.
///
///   l1 = l0 + (f_l + f_v / h)^-1 (f_v v0 - f - f_a (a1 - a0) - f_lmt (lmt1 - lmt0))
///
/// The paper leaves out f_lmt although lmt is an input like a (see EQUATIONS.md for what that
/// costs). The fibre is kept at its least length.
///
/// @param f            eq. (A6) at `state`, with its partials
/// @param denominator  rosenbrock_denominator
/// @param h            time step [s], > 0
template <class T, class M, class H>
FibreState<T> rosenbrock_step(const M& mtu, const FibreState<T>& state, const Dual<T, 4>& f,
                              const T& denominator, const T& activation, const T& mtu_length,
                              const H& h) {
  const T numerator = f.partial[by_velocity] * state.fibre_velocity - f.value -
                      f.partial[by_activation] * (activation - state.activation) -
                      f.partial[by_mtu_length] * (mtu_length - state.mtu_length);
  const T length = state.fibre_length + numerator / denominator;
  const T& least = mtu.least_fibre_length;
  const T kept = math::select(length > least, length, least);
  return {kept, (kept - state.fibre_length) / h, activation, mtu_length};
}

/// The same from the curves.
template <class T, class M, class Table, class H>
FibreState<T> rosenbrock_step(const MtuCurves<Table>& curves, const M& mtu,
                              const FibreState<T>& state, const T& activation, const T& mtu_length,
                              const H& h) {
  const auto f = forces_with_partials(curves, mtu, state).imbalance();
  return rosenbrock_step(mtu, state, f, rosenbrock_denominator(mtu, f, h), activation, mtu_length,
                         h);
}

/// What an elastic tendon's fibre hands on from one step to the next.
template <class T>
struct ElasticFibre {
  using Real = std::decay_t<decltype(math::detach(std::declval<T>()))>;
  FibreState<T> state;
  Dual<T, 4> imbalance;  ///< eq. (A6) there, with its partials
  Real onset;  ///< 1 from a step that was far too long until nothing adds up any more, else 0
};

/// Where a step was short enough, and ElasticFibre::onset after it.
template <class Condition, class R>
struct StepLength {
  Condition is_short;
  R onset;
};

/// Whether a Rosenbrock step from `before` to `after`, where eq. (A6) is `f_after`, was short
/// enough for its fibre. Two things show that it was not, as shares of F0 S (EQUATIONS.md has the
/// measurement): muscle and tendon disagree, as f was not linear over the step; or the velocity
/// changed so much that the length, wrong by (v1 - v0) h/2 as after any first-order step, of which
/// an implicit one keeps the share f_v/h over the denominator, is wrong by a force f_lmt. Where
/// force has begun to rise or fall fast, such errors add up: steps are judged by a sixth of that
/// until they are so short that nothing is left to add.
template <class T, class M>
auto judge_step(const M& mtu, const ElasticFibre<T>& before, const T& denominator,
                const FibreState<T>& after, const T& f_after) {
  constexpr double largest_disagreement = 0.03;
  constexpr double largest_delay = 0.06;
  constexpr double disagreement_of_onset = 0.05;
  constexpr double share_in_onset = 1.0 / 6.0;
  constexpr double share_at_end = 1.0 / 200.0;
  using R = typename ElasticFibre<T>::Real;
  const auto number = [](const T& x) { return math::detach(x); };
  const R length = number(after.fibre_length);
  const R f = number(f_after);
  // A muscle that is slack at its least length holds no tendon however short the step; one whose
  // tendon pulls harder than it does has been thrown there.
  const auto excused = math::select(f > 0.0, f, R(0.0 * f));
  const R disagreement =
      math::square(math::select(length > number(mtu.least_fibre_length), f, R(excused)));
  const R delay =
      math::square(R(number(before.imbalance.partial[by_mtu_length]) *
                     number(before.imbalance.partial[by_velocity]) *
                     (number(after.fibre_velocity) - number(before.state.fibre_velocity))));
  const R of_delay = math::square(R((2.0 * largest_delay) * number(denominator)));
  const auto is_below = [&](const R& share) {
    const R squared = math::square(share);
    return math::both<R>(disagreement < R(largest_disagreement * largest_disagreement * squared),
                         delay < R(of_delay * squared));
  };
  const R none = 0.0 * before.onset;
  const auto is_short = is_below(R(1.0 - (1.0 - share_in_onset) * before.onset));
  const auto is_over = is_below(R(share_at_end + none));
  const R onset = math::select(disagreement > disagreement_of_onset * disagreement_of_onset,
                               R(1.0 + none), R(math::select(is_over, none, before.onset)));
  return StepLength<std::decay_t<decltype(is_short)>, R>{is_short, onset};
}

/// Sub-steps of a step that was not short enough. A power of two: their shares are exact.
inline constexpr std::size_t n_sub_step = 16;

/// An input within a step; inputs go in straight lines.
template <class T, class S>
T between(const T& before, const T& after, const S& share) {
  return before + (after - before) * share;
}
/// Share of a step that is done before its sub-step `i`.
constexpr double share_before(std::size_t i) noexcept {
  return static_cast<double>(i) / static_cast<double>(n_sub_step);
}

/// A step in n_sub_step equal parts, each eq. (A5) linearised where its activation ends: a muscle
/// near rest is so much less stiff than one that has been switched on that its own slopes lead far
/// beyond.
///
/// @param at_start  called with (i, state, denominator) before every sub-step
template <class T, class M, class Table, class H, class AtStart>
FibreState<T> rosenbrock_sub_steps(const MtuCurves<Table>& curves, const M& mtu,
                                   const FibreState<T>& before, const T& activation,
                                   const T& mtu_length, const H& h, const AtStart& at_start) {
  const H part = h * share_before(1);
  FibreState<T> state = before;
  for (std::size_t i = 0; i < n_sub_step; ++i) {
    state.activation = between(before.activation, activation, share_before(i + 1));
    const auto f = forces_with_partials(curves, mtu, state).imbalance();
    const T denominator = rosenbrock_denominator(mtu, f, part);
    at_start(i, state, denominator);
    state = rosenbrock_step(mtu, state, f, denominator, state.activation,
                            between(before.mtu_length, mtu_length, share_before(i + 1)), part);
  }
  return {state.fibre_length, state.fibre_velocity, activation, mtu_length};
}

/// A fibre after a step.
template <class T>
struct FibreStep {
  ElasticFibre<T> fibre;
  T strain;       ///< of the tendon [-]
  T force;        ///< F^m of eq. (3) over F0 S, cosine included
  T denominator;  ///< of eq. (A5) [1/m], below zero; zero where the step was taken in sub-steps

  template <class F>
  FibreStep(const FibreState<T>& state, const F& forces,
            const typename ElasticFibre<T>::Real& onset, const T& of_step)
      : fibre{state, forces.imbalance(), onset},
        strain(forces.strain.value),
        force(forces.muscle.value),
        denominator(of_step) {}
};

/// `whole` where that step was short enough, sub-steps elsewhere. Out of line with all they need,
/// so that the few steps that they are taken for cost the others no registers.
template <class T, class Condition, class M, class Table, class H, class AtStart>
[[gnu::noinline]] FibreStep<T> in_sub_steps(const MtuCurves<Table>& curves, const M& mtu,
                                            const FibreState<T>& before, const FibreStep<T>& whole,
                                            const Condition& is_short, const H& h,
                                            const AtStart& at_start) {
  const FibreState<T>& end = whole.fibre.state;
  const FibreState<T> state = select_state(
      is_short, end,
      rosenbrock_sub_steps(curves, mtu, before, end.activation, end.mtu_length, h, at_start));
  return {state, forces_with_partials(curves, mtu, state), whole.fibre.onset,
          math::select(is_short, whole.denominator, T(0.0 * whole.denominator))};
}

/// Eq. (A5), in sub-steps where the step is too long. `at_start` is called by rosenbrock_sub_steps.
template <class T, class M, class Table, class H, class AtStart>
FibreStep<T> elastic_step(const MtuCurves<Table>& curves, const M& mtu,
                          const ElasticFibre<T>& before, const T& activation, const T& mtu_length,
                          const H& h, const AtStart& at_start) {
  const T denominator = rosenbrock_denominator(mtu, before.imbalance, h);
  const FibreState<T> state =
      rosenbrock_step(mtu, before.state, before.imbalance, denominator, activation, mtu_length, h);
  const auto forces = forces_with_partials(curves, mtu, state);
  const auto length =
      judge_step(mtu, before, denominator, state, T(forces.tendon.value - forces.muscle.value));
  FibreStep<T> step{state, forces, length.onset, denominator};
  if (!math::all<T>(length.is_short)) [[unlikely]] {
    // Copies: what a call is given has an address, and what has one is kept out of registers.
    const FibreState<T> start = before.state;
    const FibreStep<T> whole = step;
    const auto is_short = length.is_short;
    const H duration = h;
    const FibreStep<T> divided =
        in_sub_steps(curves, mtu, start, whole, is_short, duration, at_start);
    step = divided;
  }
  return step;
}

/// Eq. (3): MTU force [N] along the tendon.
///
/// The stiff tendon clamps the normalised velocity to +-1 as CEINMS does (reference C.4); the
/// Rosenbrock tendon has integrated it unclamped.
template <class S, class C, class M, class Table>
auto mtu_force(const MtuCurves<Table>& curves, const M& mtu, const S& state, const C& cos_alpha,
               TendonModel tendon) {
  const auto norm_velocity = state.fibre_velocity / mtu.peak_velocity;
  const auto force = fibre_force(
      curves, mtu, state.fibre_length,
      tendon == TendonModel::stiff ? math::clamp(norm_velocity, -1.0, 1.0) : norm_velocity,
      state.activation);
  return mtu.isometric_force * force * cos_alpha;
}

}  // namespace ceinms_torch::kernel
