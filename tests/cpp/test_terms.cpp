/// Loss terms: values computed by hand, and what their lists say of them.

#include "ceinms_torch/kernel/dual.hpp"
#include "ceinms_torch/terms/terms.hpp"
#include "helpers.hpp"

#include <cmath>
#include <string>
#include <vector>

namespace ceinms_torch::terms {
namespace {

using kernel::TendonModel;
using kernel::testing::near;
using Number = kernel::Dual<double, 1>;

TEST_CASE("moment: mean squares are made comparable in three ways") {
  const OneMoment of{.variance = 400.0, .dof = 1, .n_step = 5.0};
  const auto of_mean = [&](Normalisation normalisation, std::vector<Power> powers = {{}}) {
    return Moment{std::move(powers)}.of_mean(Number::variable(12.0, 1.0, 0), of,
                                             {normalisation, 2.0, 3.0});
  };
  CHECK(of_mean(Normalisation::variance).value == near(12.0 / 400.0, 1e-15));
  CHECK(of_mean(Normalisation::variance).partial[0] == near(1.0 / 400.0, 1e-15));
  CHECK(of_mean(Normalisation::mean_square).value == near(12.0 / 6.0, 1e-15));
  CHECK(of_mean(Normalisation::rmse).value == near(std::sqrt(12.0) / 3.0, 1e-15));
  CHECK(of_mean(Normalisation::rmse).partial[0] == near(0.5 / std::sqrt(12.0) / 3.0, 1e-15));
  // Powers of roots of means and sums, of the DOFs that they are of.
  const Number sum =
      of_mean(Normalisation::rmse,
              {{0.5, 3.0, false, {0, 1}}, {2.0, 2.0, true, {1}}, {7.0, 1.0, false, {0}}});
  CHECK(sum.value == near((0.5 * std::pow(12.0, 1.5) + 2.0 * 60.0) / 3.0, 1e-14));
  CHECK(sum.partial[0] == near((0.75 * std::sqrt(12.0) + 10.0) / 3.0, 1e-14));
}

TEST_CASE("peak force: the eighth power's mean, and its derivative without any force") {
  PeakForce term;
  term.weight = 0.5;
  const Balance balance{Normalisation::mean_square, 2.0, 4.0};
  const auto square_peak = [&](double s, double other) {
    const Number one = PeakForce::of_square(Number::variable(s * s, 1.0, 0));
    const Number mean = 0.5 * (one + PeakForce::of_square(Number::constant(other * other)));
    return term.of_mean(mean, 1.0, balance);
  };
  const double peak = std::pow((std::pow(0.3, 8) + std::pow(0.7, 8)) / 2.0, 1.0 / 8.0);
  CHECK(square_peak(0.3, 0.7).value == near(0.5 / 4.0 * peak * peak, 1e-14));
  CHECK(square_peak(0.0, 0.0).value == near(0.0, 1e-60));
  CHECK(square_peak(0.0, 0.0).partial[0] == 0.0);
}

TEST_CASE("penalty: the distance outside a range, and its slope") {
  const Range range{0.5, 1.5};
  CHECK(distance_outside(0.2, range) == near(0.3, 1e-15));
  CHECK(distance_outside(1.0, range) == 0.0);
  CHECK(distance_outside(1.7, range) == near(0.2, 1e-15));
  CHECK(distance_outside(Number::variable(0.2, 1.0, 0), range).partial[0] == -1.0);
  CHECK(distance_outside(Number::variable(1.7, 1.0, 0), range).partial[0] == 1.0);
}

TEST_CASE("penalty: a power of the distance, for some MTUs") {
  for (const double exponent : {1.0, 2.0, 3.0}) {
    const Penalty one{.range = {0.5, 1.5}, .weight = 4.0, .exponent = exponent, .mtus = {2}};
    const Number outside = one.residual(Number::variable(1.9, 1.0, 0));
    CHECK(outside.value * outside.value == near(std::pow(0.4, exponent), 1e-14));
    CHECK(2.0 * outside.value * outside.partial[0] ==
          near(exponent * std::pow(0.4, exponent - 1.0), 1e-14));
    const Number inside = one.residual(Number::variable(1.0, 1.0, 0));
    CHECK(inside.value == 0.0);
    CHECK(inside.partial[0] == 0.0);
    for (const double x : {0.4, 0.5, 0.6, 1.0, 1.5, 1.6})
      CHECK(one.is_zero(x) == (one.residual(x) == 0.0));
    CHECK(one.acts_on(2));
    CHECK(!one.acts_on(0));
  }
  CHECK(Penalty{}.acts_on(7));
}

TEST_CASE("terms of synergies: what is beside an excitation") {
  CHECK(Excitation::residual(0.7, 0.4) == near(0.3, 1e-15));
  CHECK(Synthesised::residual(0.7, 0.7) == 0.7);
  CHECK(Smoothness::residual(0.7, 0.4) == near(-0.3, 1e-15));
  CHECK(Bounds::residual(1.2, 1.2) == near(0.2, 1e-15));
  CHECK(Bounds::residual(0.7, 0.7) == 0.0);
}

TEST_CASE("terms: those with a weight count, the strain of elastic tendons only") {
  Objective objective;
  using Names = std::vector<std::string>;
  CHECK(names_of(objective, TendonModel::rosenbrock) == Names{"moment"});
  Names options;
  for_each_option(objective, [&](const std::string& name, auto& option) {
    options.push_back(name);
    if constexpr (std::is_same_v<decltype(option), double&>) option = 2.0;
    if constexpr (std::is_same_v<decltype(option), std::vector<Penalty>&>)
      option = {{{0.0, 1.0}, 0.0}, {{0.0, 1.0}, 2.0}};
  });
  CHECK(options == Names{"moment_powers", "fibre_length_penalties", "fibre_velocity_penalties",
                         "tendon_strain_penalties", "peak_force_weight"});
  CHECK(names_of(objective, TendonModel::rosenbrock) ==
        Names{"moment", "fibre_length", "fibre_velocity", "tendon_strain", "peak_force"});
  CHECK(names_of(objective, TendonModel::stiff) ==
        Names{"moment", "fibre_length", "fibre_velocity", "peak_force"});
}

}  // namespace
}  // namespace ceinms_torch::terms
