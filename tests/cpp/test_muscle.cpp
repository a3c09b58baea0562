/// Pennation, optimal length and Hill force (eq. 3) at one instant.
#include "ceinms_torch/kernel/muscle.hpp"
#include "helpers.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace ceinms_torch::kernel {
namespace {

using namespace testing;
using Kind = ParameterKind;

TEST_CASE("MTU: what follows from the parameters alone") {
  const Mtu<double> mtu(plain_parameters(soleus));
  CHECK(mtu.thickness == near(0.05 * std::sin(0.43), 1e-15));
  CHECK(mtu.isometric_force == near(3500.0 * 1.2, 1e-15));
  CHECK(mtu.peak_velocity == near(0.05 * 10.0, 1e-15));
  // At the least length the fibre's share along the tendon is 0.1 lmo.
  CHECK(mtu.least_fibre_length * cos_pennation(mtu, mtu.least_fibre_length) ==
        near(0.1 * 0.05, 1e-15));
}

TEST_CASE("MTU: detached parameters carry no derivatives") {
  const Mtu<ParameterDual> mtu(variable_parameters(soleus));
  const Mtu<double> fixed = detached(mtu);
  const Mtu<double> plain(plain_parameters(soleus));
  CHECK(fixed.thickness == plain.thickness);
  CHECK(fixed.isometric_force == plain.isometric_force);
  CHECK(fixed.peak_velocity == plain.peak_velocity);
  CHECK(fixed.least_fibre_length == plain.least_fibre_length);
  CHECK(fixed.parameters.c1 == plain.parameters.c1);
  CHECK(fixed.parameters.tendon_slack_length == plain.parameters.tendon_slack_length);
  CHECK(fixed.parameters.percentage_change == plain.parameters.percentage_change);
}

TEST_CASE("pennation: constant thickness") {
  const Mtu<double> mtu(plain_parameters(soleus));
  CHECK(pennation_angle(mtu, 0.05) == near(0.43, 1e-15));
  for (const double length : {0.025, 0.04, 0.07}) {
    CAPTURE(length);
    const double angle = std::asin(0.05 * std::sin(0.43) / length);
    CHECK(pennation_angle(mtu, length) == near(angle, 1e-14));
    CHECK(sin_pennation(mtu, length) == near(std::sin(angle), 1e-15));
    CHECK(cos_pennation(mtu, length) == near(std::cos(angle), 1e-14));
    CHECK(length * sin_pennation(mtu, length) == near(mtu.thickness, 1e-15));
  }
  const Mtu<double> parallel(plain_parameters(with(soleus, index_of(Kind::pennation_angle), 0.0)));
  CHECK(pennation_angle(parallel, 0.03) == 0.0);
  CHECK(cos_pennation(parallel, 0.03) == 1.0);
}

TEST_CASE("pennation: a fibre shorter than its thickness stays at 90 degrees, without NaN") {
  using D = Dual<double, 1>;
  const Mtu<double> mtu(plain_parameters(soleus));
  const D length = D::variable(0.9 * mtu.thickness, 1.0, 0);
  CHECK(pennation_angle(mtu, length.value) == near(std::asin(1.0), 1e-15));
  CHECK(sin_pennation(mtu, length.value) == 1.0);
  const D cosine = cos_pennation(mtu, length);
  CHECK(cosine.value == near(1e-4, 1e-15));
  CHECK(cosine.partial[0] == 0.0);
}

TEST_CASE("optimal length: grows by g (1 - a)") {
  const Mtu<double> mtu(plain_parameters(soleus));
  CHECK(optimal_length_at(mtu, 1.0) == near(0.05, 1e-16));
  CHECK(optimal_length_at(mtu, 0.0) == near(0.05 * 1.15, 1e-16));
  CHECK(optimal_length_at(mtu, 0.4) == near(0.05 * (1.0 + 0.15 * 0.6), 1e-16));
}

TEST_CASE("Hill force: computed by hand at knots of the manual's curves") {
  // a = 0.6, so that lmo(a) = lmo (1 + 0.4 g); g is chosen for l / lmo(a) = 1.045 at
  // l / lmo = 1.1. Curve points: F^a(1.045) = 0.993333, F^p(1.1) = 0.035, F^v(-0.1) = 0.55. Its
  // passive stiffness is 0.9.
  const double g = (1.1 / 1.045 - 1.0) / 0.4;
  const Mtu<double> mtu(plain_parameters(with(soleus, index_of(Kind::percentage_change), g)));
  const double expected = 0.993333 * 0.55 * 0.6 + 0.9 * 0.035 + 0.1 * -0.1;
  CHECK(fibre_force(manual_curves(), mtu, 1.1 * 0.05, -0.1, 0.6) == near(expected, 1e-12));
  // Isometric, and without activation: only the passive force is left.
  CHECK(fibre_force(manual_curves(), mtu, 1.1 * 0.05, 0.0, 0.6) ==
        near(0.993333 * 0.6 + 0.9 * 0.035, 1e-12));
  CHECK(fibre_force(manual_curves(), mtu, 1.5 * 0.05, 0.0, 0.0) == near(0.9 * 1.17, 1e-12));
}

/// Everything of muscle.hpp in one number, along the tendon: length, norm. velocity, activation
/// and the parameters.
constexpr std::size_t n_input = 3 + n_parameter_kind;
constexpr auto input_scales = and_parameters({0.05, 1.0, 1.0}, parameter_scales);

template <class T>
T force_along_tendon(const MtuCurves<PiecewiseCubic>& curves, const std::array<T, n_input>& x) {
  const Mtu<T> mtu(
      MtuParameters<T>::from([&](ParameterKind kind) { return x[3 + index_of(kind)]; }));
  const T velocity = x[1] / mtu.peak_velocity;
  return mtu.isometric_force * fibre_force(curves, mtu, x[0], velocity, x[2]) *
             cos_pennation(mtu, x[0]) +
         pennation_angle(mtu, x[0]) + optimal_length_at(mtu, x[2]) + mtu.least_fibre_length;
}

TEST_CASE("Hill force: every partial equals its central difference") {
  using D = Dual<double, n_input>;
  struct Instant {
    double length;
    double velocity;
    double activation;
  };
  // Lengths and velocities off the manual's knots, where the third derivative jumps.
  constexpr Instant instants[] = {{0.05 * 0.83, -0.17, 0.42},
                                  {0.05 * 1.13, 0.09, 0.9},
                                  {0.05 * 1.37, 0.02, 0.15},
                                  {0.03, 0.0, 0.6}};
  for (const auto& curves : {manual_curves(), default_curves()}) {
    for (const auto& [length, velocity, activation] : instants) {
      std::array<double, n_input> x{length, velocity, activation};
      std::copy(soleus.begin(), soleus.end(), x.begin() + 3);
      std::array<D, n_input> variables;
      for (std::size_t i = 0; i < n_input; ++i) variables[i] = D::variable(x[i], 1.0, i);
      const D force = force_along_tendon(curves, variables);
      CHECK(force.value == near(force_along_tendon(curves, x), 1e-13));
      for (std::size_t i = 0; i < n_input; ++i) {
        CAPTURE(length);
        CAPTURE(i);
        const double scale = input_scales[i];
        const double slope =
            central_difference([&](double s) { return force_along_tendon(curves, with(x, i, s)); },
                               x[i], 1e-4 * scale);
        // Per scale of the input and F0 S = 4200 N. Rounding over the step gives 1e-12; the
        // default curves' knots lie within the step and add their small jumps.
        CHECK(force.partial[i] * scale / 4200.0 == near(slope * scale / 4200.0, 1e-8));
        const bool acts = i < 3 || i == 3 + index_of(Kind::optimal_fibre_length) ||
                          i == 3 + index_of(Kind::pennation_angle) ||
                          i == 3 + index_of(Kind::max_isometric_force) ||
                          i == 3 + index_of(Kind::max_contraction_velocity) ||
                          i == 3 + index_of(Kind::strength_coefficient) ||
                          i == 3 + index_of(Kind::damping) ||
                          i == 3 + index_of(Kind::percentage_change);
        // It acts where there is passive force, which the difference above tells.
        const bool may_act = i == 3 + index_of(Kind::passive_stiffness);
        if (!acts && !may_act) CHECK(force.partial[i] == 0.0);
        if (acts && velocity != 0.0) CHECK(force.partial[i] != 0.0);
      }
    }
  }
}

}  // namespace
}  // namespace ceinms_torch::kernel
