/// Electromechanical delay, recursive filter (eq. 1) and exponential activation (eq. 2).
#include "ceinms_torch/kernel/activation.hpp"
#include "ceinms_torch/kernel/dual.hpp"
#include "ceinms_torch/kernel/sampling.hpp"
#include "helpers.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace ceinms_torch::kernel {
namespace {

using namespace testing;

std::vector<double> noise(std::size_t n) {
  Random random;
  std::vector<double> result(n);
  std::generate(result.begin(), result.end(), [&] { return random.between(0.0, 1.0); });
  return result;
}

/// Eq. (1) written out with indices; as reference C.1 where `ceinms_start`.
std::vector<double> unrolled(const std::vector<double>& e, double c1, double c2,
                             bool ceinms_start) {
  const double b1 = c1 + c2;
  const double b2 = c1 * c2;
  std::vector<double> u(e.size());
  double u1 = 0.0;  // u(n - 1)
  double u2 = 0.0;  // u(n - 2)
  for (std::size_t n = 0; n < e.size(); ++n) {
    if (n == 2 && ceinms_start) u1 = u2 = (e[0] + e[1]) / 2.0;
    u[n] = (1.0 + b1 + b2) * e[n] - b1 * u1 - b2 * u2;
    u2 = u1;
    u1 = u[n];
  }
  return u;
}

struct Coefficients {
  double c1;
  double c2;
};
constexpr Coefficients coefficients[] = {{-0.5, -0.3}, {-0.9, -0.9}, {0.0, 0.0}, {0.2, -0.7}};

TEST_CASE("filter: equals the recurrence written out, with either start") {
  const std::vector<double> e = noise(50);
  for (const auto& [c1, c2] : coefficients) {
    for (const bool ceinms_start : {false, true}) {
      CAPTURE(c1);
      CAPTURE(c2);
      CAPTURE(ceinms_start);
      const std::vector<double> expected = unrolled(e, c1, c2, ceinms_start);
      ActivationFilter<double> filter(c1, c2, 0.0);
      for (std::size_t n = 0; n < e.size(); ++n) {
        if (n == 2) filter.restart_where(ceinms_start);
        // The same operations up to their order; |u| <= 1 / ((1 - |c1|)(1 - |c2|)) = 100.
        CHECK(filter.next(e[n]) == near(expected[n], 1e-13));
      }
    }
  }
}

TEST_CASE("filter: steady state is the excitation") {
  for (const auto& [c1, c2] : coefficients) {
    ActivationFilter<double> filter(c1, c2, 0.0);
    double u = 0.0;
    // 0.9^600 = 4e-28: the start is forgotten, even with the factor n of the double root.
    for (int n = 0; n < 600; ++n) u = filter.next(0.37);
    CHECK(u == near(0.37, 1e-13));
  }
}

TEST_CASE("filter: from rest, zeros in front change nothing") {
  const std::vector<double> e = noise(20);
  ActivationFilter<double> plain(-0.5, -0.3, 0.0);
  ActivationFilter<double> padded(-0.5, -0.3, 0.0);
  for (int n = 0; n < 7; ++n) CHECK(padded.next(0.0) == 0.0);
  for (const double sample : e) CHECK(padded.next(sample) == plain.next(sample));
}

TEST_CASE("filter: derivatives by C1, C2 and through the third-sample rule") {
  using D = Dual<double, 3>;
  const std::vector<double> e = noise(12);
  // u(11) as a function of C1, C2 and a factor on all excitations.
  const auto last = [&](auto c1, auto c2, auto factor) {
    ActivationFilter filter(c1, c2, decltype(factor)(factor * 0.0));
    for (std::size_t n = 0; n < e.size(); ++n) {
      if (n == 2) filter.restart_where(true);
      filter.next(factor * e[n]);
    }
    return filter.next(factor * 0.5);
  };
  const D u = last(D::variable(-0.5, 1.0, 0), D::variable(-0.3, 1.0, 1), D::variable(1.0, 1.0, 2));
  const auto by = [&](std::size_t i) {
    const std::array<double, 3> at{-0.5, -0.3, 1.0};
    const auto f = [&](double s) {
      const auto x = with(at, i, s);
      return last(x[0], x[1], x[2]);
    };
    return central_difference(f, at[i], 1e-3);
  };
  CHECK(u.value == near(last(-0.5, -0.3, 1.0), 1e-15));
  // A polynomial of degree 13 in C1 and C2: the difference is good to about 1e-11.
  for (const std::size_t i : {0U, 1U, 2U}) CHECK(u.partial[i] == near(by(i), 1e-9));
}

TEST_CASE("filter: coefficients that are variables, excitations that are not") {
  using D = Dual<double, 2>;
  ActivationFilter<D, double> mixed(D::variable(-0.5, 1.0, 0), D::variable(-0.3, 1.0, 1), 0.0);
  ActivationFilter<D> both(D::variable(-0.5, 1.0, 0), D::variable(-0.3, 1.0, 1), D::constant(0.0));
  for (const double e : noise(10)) {
    const D u = mixed.next(e);
    const D expected = both.next(D::constant(e));
    CHECK(u.value == expected.value);
    CHECK(u.partial == expected.partial);
  }
}

TEST_CASE("relative exponential: series and closed form meet smoothly") {
  using D = Dual<double, 1>;
  for (const double threshold : {-0.05, 0.05}) {
    const auto at = [&](double x) { return relative_exponential(D::variable(x, 1.0, 0)); };
    const D inside = at(std::nextafter(threshold, 0.0));
    const D outside = at(threshold);
    // The closed form cancels to eps / 0.05 = 4e-15, its derivative to eps / 0.05^2 = 1e-13;
    // the series is cut where its derivative's next term is 2e-14.
    CHECK(inside.value == near(outside.value, 1e-14));
    CHECK(inside.partial[0] == near(outside.partial[0], 1e-12));
  }
  for (const double x : {-5.0, -0.3, -0.04, -1e-9, 0.0, 1e-9, 0.04, 0.3, 5.0}) {
    CAPTURE(x);
    const double expected = x == 0.0 ? 1.0 : std::expm1(x) / x;
    CHECK(relative_exponential(x) == near(expected, 1e-14));
  }
}

TEST_CASE("activation: eq. (2), from 0 to 1 for every shape factor") {
  for (const double shape : {-3.0, -1.0, -0.06, -0.049, -1e-7, 0.0, 0.1}) {
    CAPTURE(shape);
    CHECK(exponential_activation(shape, 0.0) == 0.0);
    CHECK(exponential_activation(shape, 1.0) == near(1.0, 1e-15));
    for (const double u : {0.1, 0.5, 0.93}) {
      const double expected = shape == 0.0 ? u : std::expm1(shape * u) / std::expm1(shape);
      CHECK(exponential_activation(shape, u) == near(expected, 1e-14));
    }
  }
}

TEST_CASE("activation: derivatives by shape factor and neural activation, also at A = 0") {
  using D = Dual<double, 2>;
  for (const double shape : {-3.0, -0.5, -0.052, -0.048, 0.0, 0.03}) {
    for (const double u : {0.0, 0.2, 0.9}) {
      CAPTURE(shape);
      CAPTURE(u);
      const D a = exponential_activation(D::variable(shape, 1.0, 0), D::variable(u, 1.0, 1));
      const auto by_shape =
          central_difference([&](double s) { return exponential_activation(s, u); }, shape, 1e-3);
      const auto by_u =
          central_difference([&](double s) { return exponential_activation(shape, s); }, u, 1e-3);
      // Rounding of the closed form (4e-15) over the step (1e-3), with a margin.
      CHECK(a.partial[0] == near(by_shape, 1e-10));
      CHECK(a.partial[1] == near(by_u, 1e-10));
    }
  }
  // a = u (1 + A u / 2 + ...) / (1 + A / 2 + ...): da/dA = u (u - 1) / 2 at A = 0.
  const D a = exponential_activation(D::variable(0.0, 1.0, 0), D::variable(0.3, 1.0, 1));
  CHECK(a.value == 0.3);
  CHECK(a.partial[0] == near(0.3 * (0.3 - 1.0) / 2.0, 1e-15));
  CHECK(a.partial[1] == near(1.0, 1e-15));
}

TEST_CASE("activation: a plain shape factor with a variable neural activation") {
  using D = Dual<double, 1>;
  const ExponentialActivation<double> activation(-1.5);
  const D a = activation(D::variable(0.4, 1.0, 0));
  CHECK(a.value == near(std::expm1(-0.6) / std::expm1(-1.5), 1e-15));
  CHECK(a.partial[0] == near(-1.5 * std::exp(-0.6) / std::expm1(-1.5), 1e-14));
}

TEST_CASE("gain: a factor on the excitation, at most 1 together") {
  CHECK(amplified(1.0, 0.37) == 0.37);
  CHECK(amplified(2.0, 0.4) == 0.8);
  CHECK(amplified(2.0, 0.5) == 1.0);
  CHECK(amplified(2.0, 0.6) == 1.0);
  using D = Dual<double, 1>;
  const D gain = D::variable(2.0, 1.0, 0);
  CHECK(amplified(gain, 0.4).partial[0] == 0.4);
  CHECK(amplified(gain, 0.5).partial[0] == 0.5);  // as below it: a search may go down from there
  CHECK(amplified(gain, 0.6).partial[0] == 0.0);
}

TEST_CASE("delay: row of the signal that acts at an instant") {
  CHECK(excitation_row(0.20, 0.05, 0.0, 1000.0) == near(150.0, 1e-13));
  CHECK(excitation_row(0.20, 0.05, 0.10, 100.0) == near(5.0, 1e-13));
  CHECK(excitation_row(0.00, 0.05, 0.0, 100.0) == near(-5.0, 1e-13));
  using D = Dual<double, 1>;
  const D row = excitation_row(0.2, D::variable(0.05, 1.0, 0), 0.0, 1000.0);
  CHECK(row.value == near(150.0, 1e-13));
  CHECK(row.partial[0] == -1000.0);
}

TEST_CASE("delay: samples of the run-in, with CEINMS's tolerance of 1e-4 s") {
  for (const double rate : {100.0, 1000.0}) {
    CAPTURE(rate);
    const double inside = 0.9e-4 * rate;   // rows in 0.09 ms
    const double outside = 1.1e-4 * rate;  // rows in 0.11 ms
    CHECK(row_tolerance(rate) == near(1e-4 * rate, 1e-15));
    // Exactly on row 10: rows 0 to 9 come before it.
    CHECK(run_in_samples(10.0, rate) == 10);
    CHECK(run_in_samples(10.0 + inside, rate) == 10);
    CHECK(run_in_samples(10.0 - inside, rate) == 10);
    CHECK(run_in_samples(10.0 + outside, rate) == 11);
    CHECK(run_in_samples(10.0 - outside, rate) == 10);
    // Half-way: rows 0 to 10 come before it.
    CHECK(run_in_samples(10.5, rate) == 11);
    CHECK(run_in_samples(0.0, rate) == 0);
    CHECK(run_in_samples(inside, rate) == 0);
    CHECK(run_in_samples(-7.3, rate) == 0);
    // Rounding in a row computed from times changes nothing.
    for (int i = 0; i < 200; ++i) {
      const double time = i / rate;
      const double row = excitation_row(time + 0.0437, 0.0437, 0.0, rate);
      CHECK(run_in_samples(row, rate) == static_cast<std::size_t>(i));
    }
    CHECK_FALSE(has_started(-1.0, rate));
    CHECK_FALSE(has_started(-1.0 + inside, rate));
    CHECK(has_started(-1.0 + outside, rate));
    CHECK(has_started(-0.5, rate));
    CHECK(has_started(0.0, rate));
    CHECK_FALSE(has_started(-1.5, rate));
  }
  // A signal so fast that the tolerance would reach the next row: half a row instead.
  CHECK(row_tolerance(20000.0) == 0.5);
  CHECK(run_in_samples(10.4, 20000.0) == 10);
  CHECK(run_in_samples(10.6, 20000.0) == 11);
}

TEST_CASE("delay: every sample of the run-in is counted as started, none before") {
  // Whatever the first row, the run-in's first sample lies in (-1, 0] within the tolerance.
  for (const double rate : {100.0, 1000.0, 20000.0}) {
    for (double first = 0.003; first < 5.0; first += 0.0137) {
      CAPTURE(rate);
      CAPTURE(first);
      const double run_in = static_cast<double>(run_in_samples(first, rate));
      CHECK(has_started(first - run_in, rate));
      CHECK_FALSE(has_started(first - run_in - 1.0, rate));
    }
  }
}

TEST_CASE("delay: samples of a trial lie in their signal as they should") {
  // Steps at rows 1.5 to 7.5 of a signal of five rows; two samples of run-in, and one too many.
  const std::vector<double> time{0.02, 0.03, 0.04, 0.08};
  const std::vector<double> rows{0.2, 0.4, 0.8, 0.6, 0.5};
  const SignalTimes times{time.data(), time.size(), rows.size(), 0.0, 100.0};
  CHECK(Sampling(times, 0.005).n_run_in() == 2);
  const Sampling sampling(times, 0.005, 3);
  REQUIRE(sampling.n_run_in() == 3);
  REQUIRE(sampling.n_sample() == 7);
  const double excitation[] = {0.0, 0.1, 0.3, 0.6, 0.7, 0.55, 0.5};
  // The ramp up from zero, then differences of rows; the last row goes on.
  const double by_row[] = {0.0, 0.2, 0.2, 0.4, -0.2, -0.1, 0.0};
  for (std::size_t i = 0; i < sampling.n_sample(); ++i) {
    CAPTURE(i);
    CHECK(sampling.take(rows, i).excitation == near(excitation[i], 1e-14));
    CHECK(sampling.take(rows, i).by_delay == near(-100.0 * by_row[i], 1e-12));
  }
  CHECK(sampling.take(rows, 9).excitation == 0.5);  // as at the last step
  // The first sample of the signal is number 1.
  CHECK(sampling.third_sample() == 3);
  // Samples are linear in the rows.
  std::vector<double> derivative(rows.size());
  for (std::size_t i = 0; i < sampling.n_sample(); ++i)
    sampling.add_to_rows(derivative.data(), i, 1.0);
  double sum = 0.0;
  double expected = 0.0;
  for (std::size_t row = 0; row < rows.size(); ++row) sum += derivative[row] * rows[row];
  for (const double one : excitation) expected += one;
  CHECK(sum == near(expected, 1e-14));
}

TEST_CASE("delay: a run-in is no longer than its signal, or none is made") {
  const std::vector<double> time{0.0, 0.01};
  const auto n_run_in = [&](double start, double rate, double delay) {
    return Sampling({time.data(), time.size(), 5, start, rate}, delay).n_run_in();
  };
  CHECK(n_run_in(-0.05, 100.0, 0.0) == 5);
  for (const double start : {-0.06, -1.0, -1e9, -1e300, -1e308})
    CHECK_THROWS_AS(n_run_in(start, 100.0, 0.0), InputError);
  CHECK_THROWS_AS(n_run_in(-0.05, 1e300, 0.0), InputError);
  CHECK_THROWS_AS(n_run_in(0.0, 100.0, -1e300), InputError);
  CHECK(n_run_in(1e300, 100.0, 0.0) == 0);
  CHECK(n_run_in(0.0, 100.0, 1e300) == 0);
}

TEST_CASE("interpolation: linear between two rows") {
  CHECK(interpolate(2.0, 6.0, 0.0) == 2.0);
  CHECK(interpolate(2.0, 6.0, 1.0) == 6.0);
  CHECK(interpolate(2.0, 6.0, 0.25) == 3.0);
  using D = Dual<double, 1>;
  CHECK(interpolate(2.0, 6.0, D::variable(0.25, 1.0, 0)).partial[0] == 4.0);
}

}  // namespace
}  // namespace ceinms_torch::kernel
