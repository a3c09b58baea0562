/// @file manual_curves.hpp
/// The curves of CEINMS's manual, for tests and benchmarks.
#pragma once

#include "ceinms_torch/kernel/curves.hpp"

#include <vector>

namespace ceinms_torch::kernel::testing {

/// Points of one curve.
struct Points {
  std::vector<double> x;
  std::vector<double> y;
};

/// The curves of the CEINMS manual's subject example (reference C.2).
struct ManualPoints {
  Points active_force_length{
      {-5, 0, 0.401, 0.402, 0.4035, 0.52725, 0.62875, 0.71875, 0.86125, 1.045, 1.2175, 1.43875,
       1.61875, 1.62, 1.621, 2.2, 5},
      {0, 0, 0, 0, 0, 0.226667, 0.636667, 0.856667, 0.95, 0.993333, 0.77, 0.246667, 0, 0, 0, 0, 0}};
  Points passive_force_length{{-5, 0.998, 0.999, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.601, 1.602, 5},
                              {0, 0, 0, 0, 0.035, 0.12, 0.26, 0.55, 1.17, 2, 2, 2, 2}};
  Points force_velocity{{-10, -1, -0.6, -0.3, -0.1, 0, 0.1, 0.3, 0.6, 0.8, 10},
                        {0, 0, 0.08, 0.2, 0.55, 1, 1.4, 1.6, 1.7, 1.75, 1.75}};
  Points tendon_force_strain{{-10, -0.002, -0.001, 0, 0.00131, 0.00281, 0.00431, 0.00581, 0.00731,
                              0.00881, 0.0103, 0.0118, 0.0123, 9.2, 9.201, 9.202, 20},
                             {0, 0, 0, 0, 0.0108, 0.0257, 0.0435, 0.0652, 0.0915, 0.123, 0.161,
                              0.208, 0.227, 345, 345, 345, 345}};
};

inline CubicSpline spline_through(const Points& points) {
  return {points.x, points.y};
}

/// The manual's curves as the engines use them: constant ends, tendon continued below zero.
inline MtuCurves<PiecewiseCubic> manual_curves() {
  const ManualPoints points;
  const CubicSpline tendon = spline_through(points.tendon_force_strain);
  return {spline_through(points.active_force_length).table(Ends::constant),
          spline_through(points.passive_force_length).table(Ends::constant),
          spline_through(points.force_velocity).table(Ends::constant),
          continue_below_zero(tendon, tendon.table(Ends::constant), SlackTendon{})};
}

}  // namespace ceinms_torch::kernel::testing
