/// The damped equilibrium tendon: the velocity that balances, and its integral over a step.
#include "ceinms_torch/kernel/damped_equilibrium.hpp"
#include "helpers.hpp"

#include <array>
#include <cmath>
#include <cstddef>

namespace ceinms_torch::kernel {
namespace {

using namespace testing;
using Kind = ParameterKind;
using Curves = MtuCurves<PiecewiseCubic>;

double imbalance_at(const Curves& curves, const Mtu<double>& mtu, double length,
                    double norm_velocity, double activation, double mtu_length) {
  return force_imbalance(curves, mtu, length, norm_velocity * mtu.peak_velocity, activation,
                         mtu_length);
}

Mtu<double> soleus_with(Kind kind, double value) {
  return Mtu<double>(plain_parameters(with(soleus, index_of(kind), value)));
}

TEST_CASE("damped velocity: balances muscle and tendon, and no velocity nearer to rest does") {
  const Mtu<double> mtu(plain_parameters(soleus));
  Random random;
  for (const auto& curves : {manual_curves(), default_curves()}) {
    for (int i = 0; i < 300; ++i) {
      const double length = random.between(0.5, 1.5) * 0.05;
      const double activation = random.between(0.0, 1.0);
      const double mtu_length =
          0.25 * (1.0 + random.between(-0.02, 0.05)) + length * cos_pennation(mtu, length);
      CAPTURE(length);
      CAPTURE(activation);
      CAPTURE(mtu_length);
      const double norm_velocity =
          damped_fibre_velocity(curves, mtu, length, activation, mtu_length) / mtu.peak_velocity;
      // Where the tendon pulls hard and damping alone holds it, v is in the hundreds.
      const double scale = 1.0 + std::abs(norm_velocity);
      const auto f = [&](double v) {
        return imbalance_at(curves, mtu, length, v, activation, mtu_length);
      };
      CHECK(std::abs(f(norm_velocity)) < 1e-11 * scale);
      const bool is_faster = f(0.0) > 0.0;
      CHECK(is_faster == (norm_velocity > 0.0));
      // Within +-vmax the curves do not fall, so that all of f before the root has one sign.
      for (int k = 1; k < 20 && std::abs(norm_velocity) < 1.0; ++k)
        CHECK((f(norm_velocity * k / 20.0) > 0.0) == is_faster);
    }
  }
}

TEST_CASE("damped velocity: none without activation and damping") {
  const Mtu<double> mtu = soleus_with(Kind::damping, 0.0);
  CHECK(std::isnan(damped_fibre_velocity(manual_curves(), mtu, 0.04, 0.0, 0.3)));
  CHECK(std::isfinite(damped_fibre_velocity(manual_curves(), mtu, 0.05, 0.5, 0.3)));
}

TEST_CASE("damped step: equilibrium is where it stays, and where it goes") {
  const Mtu<double> mtu(plain_parameters(soleus));
  for (const auto& curves : {manual_curves(), default_curves()}) {
    for (const double activation : {0.0, 0.05, 0.5, 1.0}) {
      CAPTURE(activation);
      const double length = equilibrium_fibre_length(curves, mtu, activation, 0.3);
      const FibreState<double> rest{length, 0.0, activation, 0.3};
      const auto stayed = damped_step(curves, mtu, rest, activation, 0.3, 0.01);
      CHECK(stayed.fibre_length == near(length, 1e-12));
      CHECK(std::abs(stayed.fibre_velocity) < 1e-10);
      FibreState<double> state{1.1 * length, 0.0, activation, 0.3};
      for (int i = 0; i < 300; ++i) state = damped_step(curves, mtu, state, activation, 0.3, 0.01);
      CHECK(std::abs(state.fibre_length - length) < 1e-8);  // the tolerance of the step is 5e-11
    }
  }
}

TEST_CASE("damped step: one step or many, the same solution") {
  const Mtu<double> mtu(plain_parameters(soleus));
  const Curves curves = manual_curves();
  const FibreState<double> start{equilibrium_fibre_length(curves, mtu, 0.2, 0.3), 0.0, 0.2, 0.3};
  const auto one = damped_step(curves, mtu, start, 0.9, 0.304, 0.05);
  FibreState<double> state = start;
  constexpr int n = 37;
  for (int i = 1; i <= n; ++i)
    state = damped_step(curves, mtu, state, 0.2 + 0.7 * i / n, 0.3 + 0.004 * i / n, 0.05 / n);
  CHECK(std::abs(one.fibre_length - state.fibre_length) < 1e-9);
  CHECK(one.fibre_velocity == near(state.fibre_velocity, 1e-6));
  // The velocity is that of the end of the step.
  const double balance =
      force_imbalance(curves, mtu, one.fibre_length, one.fibre_velocity, 0.9, 0.304);
  CHECK(std::abs(balance) < 1e-11);
}

TEST_CASE("damped step: a slack tendon is taken up, the fibre keeps its least length") {
  const Mtu<double> mtu(plain_parameters(soleus));
  for (const auto& curves : {manual_curves(), default_curves()}) {
    // 6 mm more than the tendon and the shortest fibre have.
    const double mtu_length = 0.25 + 0.006 + 0.1 * 0.05;
    FibreState<double> state{0.05, 0.0, 1.0, mtu_length};
    double last = state.fibre_length;
    for (int i = 0; i < 100; ++i) {
      state = damped_step(curves, mtu, state, 1.0, mtu_length, 0.01);
      REQUIRE(std::isfinite(state.fibre_length));
      CHECK(state.fibre_length >= mtu.least_fibre_length);
      CHECK(state.fibre_length <= last + 1e-10);
      last = state.fibre_length;
    }
    const double rest = equilibrium_fibre_length(curves, mtu, 1.0, mtu_length);
    CHECK(std::abs(last - rest) < 1e-6);
    // Shorter still: nothing holds the fibre, and it stops at its least length.
    for (int i = 0; i < 100; ++i) state = damped_step(curves, mtu, state, 1.0, 0.2, 0.01);
    CHECK(state.fibre_length == mtu.least_fibre_length);
    CHECK(state.fibre_velocity == 0.0);
  }
}

TEST_CASE("damped step: the stiffer the tendon, the nearer to the stiff tendon") {
  const Mtu<double> mtu(plain_parameters(soleus));
  const Curves soft = manual_curves();
  double last = 1.0;
  for (const double factor : {1.0, 10.0, 100.0}) {
    CAPTURE(factor);
    Curves curves = soft;
    for (CubicPiece& piece : curves.tendon_force_strain.pieces)
      for (double& coefficient : piece.c) coefficient *= factor;
    FibreState<double> state{equilibrium_fibre_length(curves, mtu, 0.5, 0.3), 0.0, 0.5, 0.3};
    for (int i = 1; i <= 20; ++i)
      state = damped_step(curves, mtu, state, 0.5, 0.3 + 0.0002 * i, 0.01);
    const double stretch = std::abs(state.fibre_length - stiff_fibre_length(mtu, 0.304));
    CHECK(stretch < 0.3 * last);
    last = stretch;
  }
  CHECK(last < 0.25 * 1.0 / (8.0 * 100.0));  // lts times a force below F0 S over the least slope
}

TEST_CASE("damped step: says where there is no solution") {
  const Mtu<double> mtu = soleus_with(Kind::damping, 0.0);
  const FibreState<double> start{0.04, 0.0, 0.0, 0.3};
  const auto none = damped_step(manual_curves(), mtu, start, 0.0, 0.3, 0.01);
  CHECK(std::isnan(none.fibre_length));
  CHECK(std::isnan(damped_step(manual_curves(), mtu, none, 0.0, 0.3, 0.01).fibre_length));
}

}  // namespace
}  // namespace ceinms_torch::kernel
