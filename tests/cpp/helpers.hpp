/// @file helpers.hpp
/// What several kernel tests share: the curves of CEINMS's manual, a plausible MTU, central
/// differences and reproducible pseudo-random numbers.
#pragma once

#include "ceinms_torch/kernel/curves.hpp"
#include "ceinms_torch/kernel/dual.hpp"
#include "ceinms_torch/kernel/parameters.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <random>
#include <vector>

namespace ceinms_torch::kernel::testing {

/// |actual - expected| < tolerance (1 + max(|actual|, |expected|)): absolute for small numbers,
/// relative for large ones.
inline doctest::Approx near(double expected, double tolerance) {
  return doctest::Approx(expected).epsilon(tolerance).scale(1.0);
}

/// Five-point central difference: error O(step^4 f^(5)) + O(1e-16 f / step). With a step of
/// 1e-3 of the scale on which f varies both are near 1e-12.
template <class Function>
double central_difference(const Function& f, double x, double step) {
  const double narrow = f(x + step) - f(x - step);
  const double wide = f(x + 2.0 * step) - f(x - 2.0 * step);
  return (8.0 * narrow - wide) / (12.0 * step);
}

/// The same numbers on every platform (std::uniform_real_distribution is not).
class Random {
 public:
  double between(double low, double high) {
    return low + (high - low) * std::ldexp(static_cast<double>(engine_() >> 11), -53);
  }

 private:
  std::mt19937_64 engine_{20240229};
};

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

/// Parameters of one MTU in the order of ParameterKind.
using ParameterArray = std::array<double, n_parameter_kind>;

inline constexpr std::array<const char*, n_parameter_kind> parameter_names{
    "c1",
    "c2",
    "shape_factor",
    "optimal_fibre_length",
    "pennation_angle",
    "tendon_slack_length",
    "max_isometric_force",
    "max_contraction_velocity",
    "strength_coefficient",
    "em_delay",
    "damping",
    "percentage_change"};

constexpr std::size_t index_of(ParameterKind kind) {
  return static_cast<std::size_t>(kind);
}

/// A soleus: strongly pennate, with a tendon five times as long as its fibres.
inline constexpr ParameterArray soleus{-0.5,   -0.3, -1.5, 0.05,   0.43, 0.25,
                                       3500.0, 10.0, 1.2,  0.0437, 0.1,  0.15};

inline MtuParameters<double> plain_parameters(const ParameterArray& values) {
  return MtuParameters<double>::from([&](ParameterKind kind) { return values[index_of(kind)]; });
}

/// All parameters as variables, in the order of ParameterKind.
using ParameterDual = Dual<double, n_parameter_kind>;

inline MtuParameters<ParameterDual> variable_parameters(const ParameterArray& values) {
  return MtuParameters<ParameterDual>::from([&](ParameterKind kind) {
    return ParameterDual::variable(values[index_of(kind)], 1.0, index_of(kind));
  });
}

/// A copy of `values` with one of them replaced.
template <std::size_t N>
std::array<double, N> with(std::array<double, N> values, std::size_t index, double value) {
  values[index] = value;
  return values;
}

}  // namespace ceinms_torch::kernel::testing
