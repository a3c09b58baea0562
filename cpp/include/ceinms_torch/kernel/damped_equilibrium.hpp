/// @file damped_equilibrium.hpp
/// The damped equilibrium tendon of Millard et al. (2013), in double precision and without
/// derivatives: the model that the Rosenbrock step is judged by.
#pragma once

#include "ceinms_torch/kernel/tendon.hpp"

namespace ceinms_torch::kernel {

/// Fibre velocity [m/s] at which muscle and tendon pull alike: f(l, v, a; lmt) = 0, eq. (A6).
///
/// Where the force-velocity curve does not fall, the damping term makes f fall with v, so that
/// there is one root. A spline may fall beyond +-vmax; the root is then the one nearest to rest,
/// as it is bracketed by going outwards from there. Newton's method inside the bracket; a step
/// that would leave it, or is not half the last one, halves it.
///
/// @return NaN where there is none, as without damping
double damped_fibre_velocity(const MtuCurves<PiecewiseCubic>& curves, const Mtu<double>& mtu,
                             double fibre_length, double activation, double mtu_length) noexcept;

/// Fibre state one time step later: dl/dt = v(l, a, lmt) integrated with activation and
/// muscle-tendon length going in straight lines between the steps.
///
/// The pair of Bogacki and Shampine (1989), third order, takes as many sub-steps as keep the
/// estimated error of each below 1e-9 lmo. The fibre is kept at its least length.
///
/// @param h  time step [s], > 0
/// @return   NaN where that takes too many sub-steps or there is no velocity
FibreState<double> damped_step(const MtuCurves<PiecewiseCubic>& curves, const Mtu<double>& mtu,
                               const FibreState<double>& state, double activation,
                               double mtu_length, double h) noexcept;

}  // namespace ceinms_torch::kernel
