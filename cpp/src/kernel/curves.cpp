#include "ceinms_torch/kernel/curves.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace ceinms_torch::kernel {
namespace {

template <class Function>
PiecewiseCubic tabulate(Function function, double lowest, double highest, std::size_t intervals,
                        Ends ends) {
  std::vector<double> x(intervals + 1);
  std::vector<double> y(intervals + 1);
  for (std::size_t i = 0; i <= intervals; ++i) {
    x[i] = lowest + (highest - lowest) * static_cast<double>(i) / static_cast<double>(intervals);
    y[i] = function(x[i]);
  }
  return CubicSpline(x, y).table(ends);
}

}  // namespace

PiecewiseCubic continue_below_zero(const CubicSpline& spline, const PiecewiseCubic& table,
                                   const SlackTendon& slack) {
  const double value_at_zero = spline.value(0.0);
  // A toe shallower than slack.slope goes on with its own slope; one that falls at zero, which no
  // tendon does, gets a kink.
  const double slope_at_zero = spline.derivative(0.0) > 0.0 ? spline.derivative(0.0) : slack.slope;
  const double slope_below = std::min(slack.slope, slope_at_zero);
  // The slope falls linearly from slope_at_zero at 0 to slope_below at -width.
  const double curvature = (slope_at_zero - slope_below) / (2.0 * slack.width);
  const CubicPiece toe{0.0, {value_at_zero, slope_at_zero, curvature, 0.0}};
  const double foot = toe.value(-slack.width);

  PiecewiseCubic result;
  result.knots = {-slack.width, 0.0};
  result.pieces = {{-slack.width, {foot, slope_below, 0.0, 0.0}}, toe};
  for (std::size_t i = 0; i < table.knots.size(); ++i) {
    if (table.knots[i] <= 0.0) continue;
    result.knots.push_back(table.knots[i]);
    result.pieces.push_back(table.pieces[i]);
  }
  const double end = table.knots.back();
  result.pieces.push_back({end, {spline.value(end), spline.derivative(end), 0.0, 0.0}});
  return result;
}

namespace de_groote {

double active_force_length(double norm_length) {
  // Rows: b1, b2, b3, b4 of one Gaussian-like function each.
  constexpr double b[3][4] = {
      {0.8150671134243542, 1.055033428970575, 0.162384573599574, 0.063303448465465},
      {0.433004984392647, 0.716775413397760, -0.029947116970696, 0.200356847296188},
      {0.1, 1.0, 0.353553390593274, 0.0}};
  double force = 0.0;
  for (const auto& row : b) {
    const double width = row[2] + row[3] * norm_length;
    const double distance = (norm_length - row[1]) / width;
    force += row[0] * std::exp(-0.5 * distance * distance);
  }
  return force;
}

double passive_force_length(double norm_length) {
  constexpr double k_pe = 4.0;
  constexpr double strain_at_f0 = 0.6;
  constexpr double lowest_length = 0.2;
  const auto rise = [](double length) { return std::exp(k_pe * (length - 1.0) / strain_at_f0); };
  const double offset = rise(lowest_length);
  return (rise(norm_length) - offset) / (std::exp(k_pe) - offset);
}

double force_velocity(double norm_velocity) {
  constexpr double d1 = -0.3211346127989808;
  constexpr double d2 = -8.149;
  constexpr double d3 = -0.374;
  constexpr double d4 = 0.8825327733249912;
  return d1 * std::asinh(d2 * norm_velocity + d3) + d4;
}

double tendon_force_strain(double strain) {
  constexpr double c1 = 0.200;
  constexpr double c2 = 1.0;
  constexpr double c3 = 0.200;
  constexpr double strain_at_f0 = 0.049;
  static const double k_t = std::log((1.0 + c3) / c1) / (1.0 + strain_at_f0 - c2);
  return c1 * std::exp(k_t * (strain + 1.0 - c2)) - c3;
}

}  // namespace de_groote

MtuCurves<PiecewiseCubic> default_curves() {
  return {tabulate(de_groote::active_force_length, 0.2, 2.0, 360, Ends::constant),
          tabulate(de_groote::passive_force_length, 0.2, 2.0, 360, Ends::linear),
          tabulate(de_groote::force_velocity, -1.5, 1.5, 600, Ends::linear),
          tabulate(de_groote::tendon_force_strain, -0.05, 0.10, 300, Ends::linear)};
}

}  // namespace ceinms_torch::kernel
