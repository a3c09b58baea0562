#include "ceinms_torch/kernel/damped_equilibrium.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ceinms_torch::kernel {
namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

}  // namespace

double damped_fibre_velocity(const MtuCurves<PiecewiseCubic>& curves, const Mtu<double>& mtu,
                             double fibre_length, double activation, double mtu_length) noexcept {
  constexpr int max_doublings = 40;
  constexpr int max_iterations = 200;
  constexpr double converged = 1e-13;  // of the normalised velocity

  const auto imbalance = [&](double norm_velocity) {
    return force_imbalance(curves, mtu, fibre_length,
                           variable<0, 1>(norm_velocity * mtu.peak_velocity, mtu.peak_velocity),
                           activation, mtu_length);
  };
  auto f = imbalance(0.0);
  if (!std::isfinite(f.value)) return not_a_number;
  const double direction = f.value > 0.0 ? 1.0 : -1.0;  // a tendon that pulls harder lengthens
  double near = 0.0;
  double far = 0.25 * direction;
  int doublings = 0;
  while (direction * imbalance(far).value > 0.0 && doublings++ < max_doublings) {
    near = far;
    far *= 2.0;
  }
  if (doublings > max_doublings) return not_a_number;

  double velocity = near;
  double last_step = far - near;
  f = imbalance(velocity);
  for (int i = 0; i < max_iterations; ++i) {
    const double newton = -f.value / f.partial[0];
    const bool is_inside = direction * (velocity + newton - near) >= 0.0 &&
                           direction * (far - velocity - newton) >= 0.0;
    const bool is_faster = std::abs(newton) <= 0.5 * std::abs(last_step);
    const double step = is_inside && is_faster ? newton : 0.5 * (near + far) - velocity;
    velocity += step;
    if (std::abs(step) <= converged * std::max(1.0, std::abs(velocity))) break;
    last_step = step;
    f = imbalance(velocity);
    (direction * f.value > 0.0 ? near : far) = velocity;
  }
  return velocity * mtu.peak_velocity;
}

FibreState<double> damped_step(const MtuCurves<PiecewiseCubic>& curves, const Mtu<double>& mtu,
                               const FibreState<double>& state, double activation,
                               double mtu_length, double h) noexcept {
  constexpr double tolerance = 1e-9;     // of the fibre length, over lmo
  constexpr int max_sub_steps = 100000;  // seconds for a trial

  const auto velocity = [&](double share, double length) {
    const double a = state.activation + share * (activation - state.activation);
    const double lmt = state.mtu_length + share * (mtu_length - state.mtu_length);
    const double least = mtu.least_fibre_length;
    const double v = damped_fibre_velocity(curves, mtu, std::max(length, least), a, lmt);
    return length <= least && v < 0.0 ? 0.0 : v;
  };

  double length = state.fibre_length;
  double share = 0.0;  // of the step that is done
  double part = 1.0;   // what is tried next
  double v1 = velocity(0.0, length);
  for (int i = 0; i < max_sub_steps && std::isfinite(v1); ++i) {
    const bool is_last = share + part >= 1.0;
    if (is_last) part = 1.0 - share;
    const double end = is_last ? 1.0 : share + part;
    const double dt = part * h;
    const double v2 = velocity(share + 0.5 * part, length + 0.5 * dt * v1);
    const double v3 = velocity(share + 0.75 * part, length + 0.75 * dt * v2);
    const double next = length + dt * (2.0 * v1 + 3.0 * v2 + 4.0 * v3) / 9.0;
    const double v4 = velocity(end, next);
    const double error = std::abs(dt * (-5.0 * v1 + 6.0 * v2 + 8.0 * v3 - 9.0 * v4) / 72.0);
    const double ratio = error / (tolerance * mtu.parameters.optimal_fibre_length);
    if (ratio <= 1.0) {
      length = std::max(next, mtu.least_fibre_length);
      v1 = v4;
      share = end;
      if (is_last) return {length, v1, activation, mtu_length};
    }
    part *= ratio > 0.0 ? std::clamp(0.9 / std::cbrt(ratio), 0.2, 5.0) : 5.0;
  }
  return {not_a_number, not_a_number, activation, mtu_length};
}

}  // namespace ceinms_torch::kernel
