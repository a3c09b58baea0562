/// @file muscle.hpp
/// Fibre length and force of one MTU at one frame, where CEINMS 0.9 differs from the kernel.
#pragma once

#include "ceinms_torch/kernel/muscle.hpp"
#include "ceinms_torch/kernel/tendon.hpp"
#include "ceinms_torch/legacy/brent.hpp"

#include <cmath>
#include <optional>

namespace ceinms_torch::legacy {

using Mtu = kernel::Mtu<double>;

enum class TendonModel { stiff, equilibrium_elastic };

/// The four curves as CEINMS evaluates them: constant outside, the tendon's, too.
using Curves = kernel::MtuCurves<kernel::PiecewiseCubic>;

/// Cosine of the pennation angle; zero, not a little more as in the kernel, at 90 degrees.
template <class L>
L cos_pennation(const Mtu& mtu, const L& fibre_length) {
  const L sine = kernel::sin_pennation(mtu, fibre_length);
  return kernel::math::sqrt(L((1.0 - sine) * (1.0 + sine)));
}

/// Fibre velocity [m/s] over lmo vmax, limited to +-1 (reference C.4).
template <class V>
V norm_velocity(const Mtu& mtu, const V& fibre_velocity) {
  return kernel::math::clamp(V(fibre_velocity / mtu.peak_velocity), -1.0, 1.0);
}

/// Eq. (3) over F0 S, along the tendon, at a cosine that is known.
template <class L, class V, class A>
auto muscle_force(const Curves& curves, const Mtu& mtu, const L& fibre_length,
                  const V& fibre_velocity, const A& activation, const L& cosine) {
  return kernel::fibre_force(curves, mtu, fibre_length, norm_velocity(mtu, fibre_velocity),
                             activation) *
         cosine;
}

/// The same, with the cosine of the fibre length.
template <class L, class V, class A>
auto muscle_force(const Curves& curves, const Mtu& mtu, const L& fibre_length,
                  const V& fibre_velocity, const A& activation) {
  return muscle_force(curves, mtu, fibre_length, fibre_velocity, activation,
                      cos_pennation(mtu, fibre_length));
}

/// Tendon less muscle force, over F0 S; its root is the fibre length (reference C.6).
template <class L, class V, class A>
auto imbalance(const Curves& curves, const Mtu& mtu, const L& fibre_length, const V& fibre_velocity,
               const A& activation, double mtu_length) {
  const L cosine = cos_pennation(mtu, fibre_length);
  const L strain = kernel::tendon_strain(mtu, fibre_length, cosine, mtu_length);
  return kernel::math::lookup(curves.tendon_force_strain, strain) -
         muscle_force(curves, mtu, fibre_length, fibre_velocity, activation, cosine);
}

/// Fibre length [m] of the elastic tendon, or nothing where Brent's method finds none between
/// 0.2 and 2 lmo.
///
/// @param velocity   velocity(l): fibre velocity [m/s] that a fibre length [m] implies
/// @param tolerance  of the fibre length [m]
template <class Velocity>
std::optional<double> equilibrium_fibre_length(const Curves& curves, const Mtu& mtu,
                                               double activation, double mtu_length,
                                               double tolerance, Velocity&& velocity) {
  const double lmo = mtu.parameters.optimal_fibre_length;
  return brent_root(
      [&](double length) {
        return imbalance(curves, mtu, length, velocity(length), activation, mtu_length);
      },
      0.2 * lmo, 2.0 * lmo, tolerance);
}

/// What a frame adds to the penalty of the calibration (reference D.3).
inline double frame_penalty(const Mtu& mtu, double fibre_length, bool has_failed) noexcept {
  const double stretch = std::abs(fibre_length / mtu.parameters.optimal_fibre_length - 1.0);
  return (has_failed ? 100.0 : 0.0) + (stretch > 0.5 ? 100.0 * stretch * stretch : 0.0);
}

}  // namespace ceinms_torch::legacy
