/// @file curves.hpp
/// The four force curves of an MTU and where they come from.
#pragma once

#include "ceinms_torch/kernel/spline.hpp"

namespace ceinms_torch::kernel {

/// The curves of eqs. (3) and (A6), all normalised by F0 S.
///
/// `Table` is whatever a number type looks values up in: `PiecewiseCubic` for numbers,
/// its tensor twin in the tensor engine.
template <class Table>
struct MtuCurves {
  Table active_force_length;   ///< F^a over l / (optimal length at this activation)
  Table passive_force_length;  ///< F^p over l / lmo
  Table force_velocity;        ///< F^v over v / (lmo vmax), lengthening positive
  Table tendon_force_strain;   ///< F^t over (lt - lts) / lts
};

/// How the tendon curve goes on below zero strain.
///
/// A clamped curve has no gradient there, and the Rosenbrock step divides by slopes; the paper
/// "extends the curve beyond zero strain" without saying how. Here the slope falls from its
/// value at zero to `slope` over `width` of strain (a quadratic, so the curve stays
/// differentiable) and is constant below.
struct SlackTendon {
  double slope = 0.5;    ///< largest force per strain, in units of F0 S; > 0
  double width = 0.002;  ///< strain over which the slope changes; > 0
};

/// The tendon curve with its part below zero strain replaced (see SlackTendon) and a straight
/// line beyond its last point. Above zero it is the given spline.
PiecewiseCubic continue_below_zero(const CubicSpline& spline, const PiecewiseCubic& table,
                                   const SlackTendon& slack);

/// Smooth curves for subjects that bring none: De Groote et al. (2016), Ann Biomed Eng
/// 44:2922-2936, with the constants of OpenSim's DeGrooteFregly2016Muscle, tabulated finely
/// enough to agree with the formulas to 1e-6 (tested). Tendon strain at F0 is 0.049 (Millard
/// et al. 2013); the tendon curve is smooth through zero and needs no continuation.
MtuCurves<PiecewiseCubic> default_curves();

/// The formulas behind `default_curves`.
namespace de_groote {
/// Sum of three Gaussian-like functions; 0 at 0.2, 1 at 1 (to 3e-3).
double active_force_length(double norm_length);
/// Exponential with kPE = 4, reaching 1 at a stretch of 0.6; zero at 0.2, as in OpenSim.
double passive_force_length(double norm_length);
/// Inverse hyperbolic sine; 1 at rest, 0 at -1.
double force_velocity(double norm_velocity);
/// c1 exp(kT (strain + 1 - c2)) - c3 with 1 at a strain of 0.049.
double tendon_force_strain(double strain);
}  // namespace de_groote

}  // namespace ceinms_torch::kernel
