/// @file tendon.hpp
/// Where muscle and tendon meet: static equilibrium, Rosenbrock step (A1-A6), stiff tendon.
#pragma once

#include "ceinms_torch/kernel/dual.hpp"
#include "ceinms_torch/kernel/muscle.hpp"
#include "ceinms_torch/kernel/number.hpp"

namespace ceinms_torch::kernel {

/// How fibre length follows from MTU length.
enum class TendonModel { stiff, rosenbrock };

/// Tendon strain [-]: (lt - lts) / lts with lt = lmt - l cos(alpha).
template <class S, class P, class L>
S tendon_strain(const Mtu<P>& mtu, const S& fibre_length, const S& cos_alpha, const L& mtu_length) {
  const P& slack = mtu.parameters.tendon_slack_length;
  return (mtu_length - fibre_length * cos_alpha) / slack - 1.0;
}

/// Eq. (A6) over F0 S: f(l, v, a; lmt) = F^t - F^m. Zero when muscle and tendon pull alike.
///
/// The velocity is not clamped to +-vmax here, as it is in CEINMS: the damping term must keep
/// its slope for the Rosenbrock step to be defined.
template <class S, class P, class Table>
S force_imbalance(const MtuCurves<Table>& curves, const Mtu<P>& mtu, const S& fibre_length,
                  const S& fibre_velocity, const S& activation, const S& mtu_length) {
  const S cos_alpha = cos_pennation(mtu, fibre_length);
  const S tendon = math::lookup(curves.tendon_force_strain,
                                tendon_strain(mtu, fibre_length, cos_alpha, mtu_length));
  const S muscle =
      fibre_force(curves, mtu, fibre_length, S(fibre_velocity / mtu.peak_velocity), activation);
  return tendon - muscle * cos_alpha;
}

/// What the Rosenbrock step carries from one instant to the next.
template <class T>
struct FibreState {
  T fibre_length;    ///< l [m]
  T fibre_velocity;  ///< v [m/s]
  T activation;      ///< a [-]
  T mtu_length;      ///< lmt [m]
};

/// Fibre length of the stiff tendon (reference C.5). As in CEINMS the sign of lmt - lts is
/// lost: a slack MTU gets a long fibre. Callers warn about lmt < lts.
template <class T, class P, class L>
T stiff_fibre_length(const Mtu<P>& mtu, const L& mtu_length) {
  const P& slack = mtu.parameters.tendon_slack_length;
  return math::sqrt(T(math::square(mtu.thickness) + math::square(T(mtu_length - slack))));
}

/// Fibre velocity of the stiff tendon: the exact time derivative of its fibre length.
template <class T, class P, class L>
T stiff_fibre_velocity(const Mtu<P>& mtu, const T& fibre_length, const L& mtu_length,
                       const L& mtu_velocity) {
  return (mtu_length - mtu.parameters.tendon_slack_length) * mtu_velocity / fibre_length;
}

/// Static equilibrium f(l, 0, a; lmt) = 0: where a trial starts.
///
/// Newton's method kept inside a bracket; a step that would leave it, and every other step once
/// Newton has had its chance, halves the bracket instead. The lower end is the least fibre
/// length (an MTU that is slack even there stays there), the upper end the length at which the
/// tendon is just slack, where f <= 0. Derivatives follow from the implicit function theorem:
/// one more Newton step from the root, in which only f carries derivatives.
template <class T, class P, class Table>
T equilibrium_fibre_length(const MtuCurves<Table>& curves, const Mtu<P>& mtu, const T& activation,
                           const T& mtu_length) {
  using D = Dual<T, 1>;
  constexpr int newton_only = 20;
  constexpr int max_iterations = 60;
  constexpr double converged = 1e-13;  // [m]

  const Mtu<P> fixed = detached(mtu);
  const T a = math::detach(activation);
  const T lmt = math::detach(mtu_length);
  const T zero = 0.0 * a;
  const T one = 1.0 + zero;
  const auto imbalance = [&](const T& length) {
    return force_imbalance(curves, fixed, D::variable(length, one, 0), D::constant(zero),
                           D::constant(a), D::constant(lmt));
  };

  const T lowest = fixed.least_fibre_length * one;
  const T slack_length = stiff_fibre_length<T>(fixed, lmt);
  const auto can_balance = imbalance(lowest).value > 0.0;
  T low = lowest;
  T high = math::select(slack_length > lowest, slack_length, T(2.0 * lowest));
  T length = 0.5 * (low + high);
  D f = imbalance(length);
  for (int i = 0; i < max_iterations; ++i) {
    const auto too_short = f.value > 0.0;
    low = math::select(too_short, length, low);
    high = math::select(too_short, high, length);
    const T newton = length - f.value / f.partial[0];
    const auto inside = math::both<T>(newton > low, newton < high);
    const T middle = 0.5 * (low + high);
    const bool halve = i >= newton_only && i % 2 == 0;
    const T next = halve ? middle : math::select(inside, newton, middle);
    const T step = next - length;
    length = next;
    f = imbalance(length);
    if (math::all<T>(math::square(step) < converged * converged)) break;
  }
  const T implicit =
      length - force_imbalance<T>(curves, mtu, length, zero, activation, mtu_length) / f.partial[0];
  return math::select(can_balance, implicit, T(mtu.least_fibre_length * one));
}

/// Eq. (A5) with the muscle-tendon length term: fibre state one time step later.
///
///   l1 = l0 + (f_l + f_v / h)^-1 (f_v v0 - f - f_a (a1 - a0) - f_lmt (lmt1 - lmt0))
///
/// The paper leaves out f_lmt although lmt is an input like a (see EQUATIONS.md for what that
/// costs). In a muscle that holds its tendon the denominator is negative; where it would not be
/// (a slack tendon on the descending limb) it is kept at -0.1 / lmo, and the fibre is kept at
/// its least length.
///
/// @param h  time step [s], > 0
template <class T, class P, class Table, class H>
FibreState<T> rosenbrock_step(const MtuCurves<Table>& curves, const Mtu<P>& mtu,
                              const FibreState<T>& state, const T& activation, const T& mtu_length,
                              const H& h) {
  using D = Dual<T, 4>;
  enum : std::size_t { by_length, by_velocity, by_activation, by_mtu_length };
  const T one = 1.0 + 0.0 * math::detach(state.fibre_length);
  const D f = force_imbalance(curves, mtu, D::variable(state.fibre_length, one, by_length),
                              D::variable(state.fibre_velocity, one, by_velocity),
                              D::variable(state.activation, one, by_activation),
                              D::variable(state.mtu_length, one, by_mtu_length));
  const T f_v = f.partial[by_velocity];
  const T denominator = f.partial[by_length] + f_v / h;
  const T limit = -0.1 / (mtu.parameters.optimal_fibre_length * one);
  const T numerator = f_v * state.fibre_velocity - f.value -
                      f.partial[by_activation] * (activation - state.activation) -
                      f.partial[by_mtu_length] * (mtu_length - state.mtu_length);
  const T length =
      state.fibre_length + numerator / math::select(denominator < limit, denominator, limit);
  const T least = mtu.least_fibre_length * one;
  const T kept = math::select(length > least, length, least);
  return {kept, (kept - state.fibre_length) / h, activation, mtu_length};
}

/// Eq. (3): MTU force [N] along the tendon.
///
/// The stiff tendon clamps the normalised velocity to +-1 as CEINMS does (reference C.4); the
/// Rosenbrock tendon has integrated it unclamped.
template <class T, class P, class Table>
T mtu_force(const MtuCurves<Table>& curves, const Mtu<P>& mtu, const FibreState<T>& state,
            const T& cos_alpha, TendonModel tendon) {
  const T norm_velocity = state.fibre_velocity / mtu.peak_velocity;
  const T force = fibre_force(
      curves, mtu, state.fibre_length,
      tendon == TendonModel::stiff ? math::clamp(norm_velocity, -1.0, 1.0) : norm_velocity,
      state.activation);
  return mtu.peak_force * force * cos_alpha;
}

}  // namespace ceinms_torch::kernel
