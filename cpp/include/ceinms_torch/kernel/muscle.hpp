/// @file muscle.hpp
/// The muscle at one instant: pennation, optimal length, Hill force (eq. 3).
#pragma once

#include "ceinms_torch/kernel/curves.hpp"
#include "ceinms_torch/kernel/number.hpp"
#include "ceinms_torch/kernel/parameters.hpp"

#include <type_traits>

namespace ceinms_torch::kernel {

/// An MTU's parameters with what follows from them alone, computed once per simulation.
template <class P>
struct Mtu {
  MtuParameters<P> parameters;
  P thickness;           ///< lmo sin(alpha0) [m], constant (reference C.3)
  P peak_force;          ///< F0 S [N]
  P peak_velocity;       ///< lmo vmax [m/s]
  P least_fibre_length;  ///< [m], where the fibre's share along the tendon is 0.1 lmo

  explicit Mtu(const MtuParameters<P>& p)
      : parameters(p),
        thickness(p.optimal_fibre_length * math::sin(p.pennation_angle)),
        peak_force(p.max_isometric_force * p.strength_coefficient),
        peak_velocity(p.optimal_fibre_length * p.max_contraction_velocity),
        least_fibre_length(
            math::sqrt(P(math::square(thickness) + 0.01 * math::square(p.optimal_fibre_length)))) {}
};

/// The same MTU without the derivatives its parameters carry.
template <class P>
auto detached(const Mtu<P>& mtu) {
  const MtuParameters<P>& p = mtu.parameters;
  using R = std::decay_t<decltype(math::detach(p.c1))>;
  return Mtu<R>(MtuParameters<R>{
      math::detach(p.c1), math::detach(p.c2), math::detach(p.shape_factor),
      math::detach(p.optimal_fibre_length), math::detach(p.pennation_angle),
      math::detach(p.tendon_slack_length), math::detach(p.max_isometric_force),
      math::detach(p.max_contraction_velocity), math::detach(p.strength_coefficient),
      math::detach(p.em_delay), math::detach(p.damping), math::detach(p.percentage_change)});
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

/// Eq. (3) over F0 S, before the cosine: F^a F^v a + F^p + d^m v.
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
  const auto passive =
      math::lookup(curves.passive_force_length, fibre_length / p.optimal_fibre_length);
  const auto velocity = math::lookup(curves.force_velocity, norm_velocity);
  return active * velocity * activation + passive + p.damping * norm_velocity;
}

}  // namespace ceinms_torch::kernel
