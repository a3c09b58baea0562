/// The tendon curve below zero strain and the default curves.
#include "ceinms_torch/kernel/curves.hpp"
#include "helpers.hpp"

#include <algorithm>
#include <cmath>

namespace ceinms_torch::kernel {
namespace {

using namespace testing;

/// `f` of `n` + 1 evenly spaced numbers.
template <class Function>
void for_each_between(double low, double high, int n, const Function& f) {
  for (int i = 0; i <= n; ++i) f(low + (high - low) * i / n);
}

/// A tendon with no knot at zero, and one whose first knot is zero (ceinms2, reference G.2).
const Points no_knot_at_zero{{-0.01, 0.01, 0.02, 0.03, 0.05}, {-0.05, 0.06, 0.2, 0.4, 1.0}};
const Points starts_at_zero{{0, 0.01, 0.02, 0.06, 0.1, 0.14},
                            {0, 0.094, 0.2609, 1.3087, 2.4311, 3.5536}};

struct Tendon {
  CubicSpline spline;
  PiecewiseCubic given;
  PiecewiseCubic continued;
};

Tendon continued(const Points& points, const SlackTendon& slack) {
  const CubicSpline spline = spline_through(points);
  const PiecewiseCubic given = spline.table(Ends::constant);
  return {spline, given, continue_below_zero(spline, given, slack)};
}

TEST_CASE("slack tendon: nothing changes above zero strain, a straight line follows the end") {
  const ManualPoints manual;
  for (const Points& points : {manual.tendon_force_strain, no_knot_at_zero, starts_at_zero}) {
    const Tendon tendon = continued(points, {});
    const double last = points.x.back();
    for_each_between(0.0, last, 997, [&](double strain) {
      if (strain == 0.0) return;  // its own test below
      CAPTURE(strain);
      CHECK(tendon.continued.value(strain) == tendon.given.value(strain));
      CHECK(tendon.continued.slope(strain) == tendon.given.slope(strain));
    });
    for_each_between(0.0, 0.02, 997, [&](double strain) {
      CAPTURE(strain);
      CHECK(tendon.continued.value(strain) == near(tendon.given.value(strain), 1e-15));
    });
    const double end_slope = tendon.spline.derivative(last);
    CHECK(tendon.continued.slope(last + 1.0) == end_slope);
    CHECK(tendon.continued.value(last + 1.0) == near(points.y.back() + end_slope, 1e-12));
  }
}

TEST_CASE("slack tendon: continuous with its slope, rising everywhere below zero") {
  const ManualPoints manual;
  for (const Points& points : {manual.tendon_force_strain, no_knot_at_zero, starts_at_zero}) {
    for (const SlackTendon& slack :
         {SlackTendon{}, SlackTendon{0.05, 0.01}, SlackTendon{2.0, 0.03}}) {
      const PiecewiseCubic curve = continued(points, slack).continued;
      CAPTURE(slack.slope);
      CAPTURE(slack.width);
      for (const double joint : {0.0, -slack.width}) {
        const double gap = 1e-9;
        // A gap of 2e-9 times a curvature below 1e4 and a slope below 1e2.
        CHECK(curve.value(joint + gap) == near(curve.value(joint - gap), 1e-6));
        CHECK(curve.slope(joint + gap) == near(curve.slope(joint - gap), 1e-4));
      }
      CHECK(curve.slope(-slack.width) == near(slack.slope, 1e-14));
      CHECK(curve.slope(-5.0) == slack.slope);
      double before = curve.value(-1.0);
      for_each_between(-1.0 + 1e-4, 0.0, 9999, [&](double strain) {
        CAPTURE(strain);
        CHECK(curve.slope(strain) >= near(slack.slope, 1e-14));
        CHECK(curve.value(strain) > before);
        before = curve.value(strain);
      });
    }
  }
}

TEST_CASE("default curves: agree with the formulas to 1e-6, as their comment promises") {
  const MtuCurves<PiecewiseCubic> curves = default_curves();
  const auto check = [](const PiecewiseCubic& curve, double (*formula)(double), double low,
                        double high) {
    double worst = 0.0;
    for_each_between(low, high, 9973, [&](double x) {
      worst = std::max(worst, std::abs(curve.value(x) - formula(x)));
    });
    CHECK(worst <= 1e-6);
  };
  check(curves.active_force_length, de_groote::active_force_length, 0.2, 2.0);
  check(curves.passive_force_length, de_groote::passive_force_length, 0.2, 2.0);
  check(curves.force_velocity, de_groote::force_velocity, -1.5, 1.5);
  check(curves.tendon_force_strain, de_groote::tendon_force_strain, -0.05, 0.10);
}

TEST_CASE("default curves: key points") {
  const MtuCurves<PiecewiseCubic> curves = default_curves();
  // Published constants are rounded: De Groote et al. (2016) and OpenSim's header give 1 at
  // optimal length to 3e-3; the other points are exact to the tables' 1e-6.
  CHECK(curves.active_force_length.value(1.0) == near(1.0, 3e-3));
  CHECK(curves.active_force_length.value(0.2) == near(0.0, 1e-2));
  CHECK(curves.passive_force_length.value(0.2) == near(0.0, 1e-6));
  CHECK(curves.passive_force_length.value(1.6) == near(1.0, 1e-6));
  CHECK(curves.force_velocity.value(0.0) == near(1.0, 1e-6));
  CHECK(curves.force_velocity.value(-1.0) == near(0.0, 1e-6));
  CHECK(curves.force_velocity.value(1.0) > 1.3);
  CHECK(curves.tendon_force_strain.value(0.0) == near(0.0, 1e-6));
  CHECK(curves.tendon_force_strain.value(0.049) == near(1.0, 1e-6));
}

TEST_CASE("default curves: rise where a muscle's and a tendon's curve must") {
  const MtuCurves<PiecewiseCubic> curves = default_curves();
  const auto rises = [](const PiecewiseCubic& curve, double low, double high) {
    double least = curve.slope(low);
    for_each_between(low, high, 4999, [&](double x) { least = std::min(least, curve.slope(x)); });
    return least > 0.0;
  };
  // Also beyond the tables, where a straight line goes on.
  CHECK(rises(curves.passive_force_length, 0.0, 3.0));
  CHECK(rises(curves.force_velocity, -3.0, 3.0));
  CHECK(rises(curves.tendon_force_strain, -0.5, 0.5));
  const PiecewiseCubic& active = curves.active_force_length;
  // Constant outside 0.2 to 2: a straight line would go below zero.
  CHECK(rises(active, 0.2 + 1e-9, 0.98));
  CHECK(active.value(-1.0) == active.value(0.2));
  CHECK(active.value(3.0) == active.value(2.0));
  for_each_between(1.02, 2.0, 999, [&](double x) { CHECK(active.slope(x) < 0.0); });
  for_each_between(0.2, 2.0, 999, [&](double x) { CHECK(active.value(x) > 0.0); });
}

TEST_CASE("default curves: a slope without jumps, but where the active curve ends") {
  const MtuCurves<PiecewiseCubic> curves = default_curves();
  for (const PiecewiseCubic* curve : {&curves.active_force_length, &curves.passive_force_length,
                                      &curves.force_velocity, &curves.tendon_force_strain}) {
    for (const double knot : curve->knots) {
      CAPTURE(knot);
      const bool is_end = knot == curve->knots.front() || knot == curve->knots.back();
      if (is_end && curve == &curves.active_force_length) continue;
      const double gap = 1e-9;
      // 2e-9 times a curvature of up to 1e4 (the tendon at a strain of 0.1).
      CHECK(curve->slope(knot + gap) == near(curve->slope(knot - gap), 1e-5));
    }
  }
}

}  // namespace
}  // namespace ceinms_torch::kernel
