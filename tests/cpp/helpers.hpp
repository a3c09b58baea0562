/// @file helpers.hpp
/// What several kernel tests share: the curves of CEINMS's manual, a plausible MTU, central
/// differences and reproducible pseudo-random numbers.
#pragma once

#include "ceinms_torch/kernel/curves.hpp"
#include "ceinms_torch/kernel/dual.hpp"
#include "ceinms_torch/kernel/parameters.hpp"
#include "manual_curves.hpp"

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

/// Parameters of one MTU in the order of ParameterKind.
using ParameterArray = std::array<double, n_parameter_kind>;

/// A soleus: strongly pennate, with a tendon five times as long as its fibres. And the scale on
/// which a parameter acts, for the steps of differences.
struct Typical {
  double value;
  double scale;
};
inline constexpr std::array typical{
    Typical{-0.5, 1.0},     // c1
    Typical{-0.3, 1.0},     // c2
    Typical{-1.5, 1.0},     // shape_factor
    Typical{0.05, 0.05},    // optimal_fibre_length
    Typical{0.43, 1.0},     // pennation_angle
    Typical{0.25, 0.25},    // tendon_slack_length
    Typical{3500.0, 1e3},   // max_isometric_force
    Typical{10.0, 10.0},    // max_contraction_velocity
    Typical{1.2, 1.0},      // strength_coefficient
    Typical{0.0437, 0.01},  // em_delay
    Typical{0.1, 0.1},      // damping
    Typical{0.15, 1.0},     // percentage_change
    Typical{1.1, 1.0},      // tendon_stiffness
    Typical{0.9, 1.0},      // passive_stiffness
    Typical{0.8, 1.0},      // emg_gain
};
static_assert(typical.size() == n_parameter_kind, "one line for each kind");

inline constexpr ParameterArray soleus = [] {
  ParameterArray values{};
  for (std::size_t i = 0; i < n_parameter_kind; ++i) values[i] = typical[i].value;
  return values;
}();
inline constexpr ParameterArray parameter_scales = [] {
  ParameterArray values{};
  for (std::size_t i = 0; i < n_parameter_kind; ++i) values[i] = typical[i].scale;
  return values;
}();

/// Numbers of something else, and behind them one for each parameter.
template <std::size_t N>
constexpr std::array<double, N + n_parameter_kind> and_parameters(const double (&first)[N],
                                                                  const ParameterArray& rest) {
  std::array<double, N + n_parameter_kind> all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i < N ? first[i] : rest[i - N];
  return all;
}

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
