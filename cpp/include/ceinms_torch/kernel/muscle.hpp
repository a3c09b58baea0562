/// @file muscle.hpp
/// The muscle at one instant: pennation, optimal length, Hill force (eq. 3).
#pragma once

#include "ceinms_torch/kernel/curves.hpp"
#include "ceinms_torch/kernel/number.hpp"
#include "ceinms_torch/kernel/parameters.hpp"

#include <type_traits>

namespace ceinms_torch::kernel {

/// Thickness of a muscle [m]: lmo sin(alpha0), constant (reference C.3).
template <class P>
auto thickness_of(const P& p) {
  return p.optimal_fibre_length * math::sin(p.pennation_angle);
}
/// F0 S [N].
template <class P>
auto isometric_force_of(const P& p) {
  return p.max_isometric_force * p.strength_coefficient;
}
/// lmo vmax [m/s].
template <class P>
auto peak_velocity_of(const P& p) {
  return p.optimal_fibre_length * p.max_contraction_velocity;
}
/// Fibre length [m] at which the fibre's share along the tendon is 0.1 lmo.
template <class P, class T>
auto least_fibre_length_of(const P& p, const T& thickness) {
  return math::sqrt(math::square(thickness) + 0.01 * math::square(p.optimal_fibre_length));
}
/// Limit of the Rosenbrock step's denominator [1/m]; see rosenbrock_denominator.
template <class P>
auto denominator_limit_of(const P& p) {
  return -0.1 / p.optimal_fibre_length;
}

/// An MTU's parameters with what follows from them alone, computed once per simulation.
template <class P>
struct Mtu {
  MtuParameters<P> parameters;
  P thickness;
  P isometric_force;
  P peak_velocity;
  P least_fibre_length;
  P denominator_limit;

  explicit Mtu(const MtuParameters<P>& p)
      : parameters(p),
        thickness(thickness_of(p)),
        isometric_force(isometric_force_of(p)),
        peak_velocity(peak_velocity_of(p)),
        least_fibre_length(least_fibre_length_of(p, thickness)),
        denominator_limit(denominator_limit_of(p)) {}
};

/// The same MTU without the derivatives its parameters carry.
template <class P>
auto detached(const Mtu<P>& mtu) {
  const MtuParameters<P>& p = mtu.parameters;
  using R = std::decay_t<decltype(math::detach(p.c1))>;
  return Mtu<R>(MtuParameters<R>::from([&](ParameterKind kind) { return math::detach(p[kind]); }));
}

/// Sine of the pennation angle at a fibre length: constant thickness, 0..1 (reference C.3).
template <class L, class M>
auto sin_pennation(const M& mtu, const L& fibre_length) {
  return math::clamp(mtu.thickness / fibre_length, 0.0, 1.0);
}

/// Cosine of the pennation angle; kept above 1e-4 so that its derivative exists at 90 degrees.
template <class L, class M>
auto cos_pennation(const M& mtu, const L& fibre_length) {
  const auto sine = sin_pennation(mtu, fibre_length);
  return math::sqrt(math::at_least(1.0 - sine * sine, 1e-8));
}

/// Pennation angle [rad] at a fibre length [m].
template <class L, class M>
auto pennation_angle(const M& mtu, const L& fibre_length) {
  return math::asin(sin_pennation(mtu, fibre_length));
}

/// Optimal fibre length [m] at an activation: lmo (1 + g (1 - a)) (reference C.4).
template <class A, class M>
auto optimal_length_at(const M& mtu, const A& activation) {
  const auto& p = mtu.parameters;
  return p.optimal_fibre_length * (1.0 + p.percentage_change * (1.0 - activation));
}

/// Eq. (3) over F0 S, before the cosine: F^a F^v a + k^p F^p + d^m v. The factor k^p is 1 in the
/// paper and in CEINMS.
///
/// Only F^a sees the activation-dependent optimal length (reference C.4).
///
/// @param norm_velocity  fibre velocity / (lmo vmax), lengthening positive [-]
template <class L, class V, class A, class M, class Table>
auto fibre_force(const MtuCurves<Table>& curves, const M& mtu, const L& fibre_length,
                 const V& norm_velocity, const A& activation) {
  const auto& p = mtu.parameters;
  const auto active =
      math::lookup(curves.active_force_length, fibre_length / optimal_length_at(mtu, activation));
  const auto passive = math::scaled_lookup(
      curves.passive_force_length, fibre_length / p.optimal_fibre_length, p.passive_stiffness);
  const auto velocity = math::lookup(curves.force_velocity, norm_velocity);
  return active * velocity * activation + passive + p.damping * norm_velocity;
}

}  // namespace ceinms_torch::kernel
