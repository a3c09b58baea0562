/// The legacy layer's parts: random numbers, Brent's method, activations, EMG rows, annealing.

#include "ceinms_torch/kernel/spline.hpp"
#include "ceinms_torch/legacy/activation.hpp"
#include "ceinms_torch/legacy/annealing.hpp"
#include "ceinms_torch/legacy/brent.hpp"
#include "ceinms_torch/legacy/calibration.hpp"
#include "ceinms_torch/legacy/random.hpp"
#include "ceinms_torch/legacy/timing.hpp"
#include "helpers.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

namespace ceinms_torch::legacy {
namespace {

using kernel::testing::near;

TEST_CASE("random numbers are those of glibc") {
  // What `srand(seed)` and `rand()` of glibc 2.36 print.
  GlibcRandom one(1);
  for (const int expected : {1804289383, 846930886, 1681692777, 1714636915, 1957747793, 424238335,
                             719885386, 1649760492, 596516649, 1189641421})
    CHECK(one.next() == expected);
  for (int i = 10; i < 999; ++i) one.next();
  CHECK(one.next() == 1143565421);
  GlibcRandom same;
  CHECK(same.next() == 1804289383);
  CHECK(GlibcRandom(42).next() == 71876166);
  CHECK(GlibcRandom(0).next() == 1804289383);
  CHECK(GlibcRandom(1).uniform() == 1804289383.0 / 2147483647.0);
}

TEST_CASE("portable random numbers: those that the standard fixes, as 53-bit fractions") {
  // std::mt19937_64: the 10000th number of the default seed 5489 is 9981545732273789042.
  PortableRandom random(5489);
  for (int i = 1; i < 10000; ++i) {
    const double u = random.uniform();
    CHECK((u >= 0.0 && u < 1.0));
  }
  CHECK(random.uniform() == std::ldexp(static_cast<double>(9981545732273789042U >> 11U), -53));
}

TEST_CASE("Brent: roots, to the tolerance") {
  const auto cubic = [](double x) { return x * x * x - 2.0; };
  const auto root = brent_root(cubic, 0.0, 3.0, 1e-6);
  REQUIRE(root);
  CHECK(std::abs(*root - std::cbrt(2.0)) < 1e-6);
  CHECK(std::abs(*brent_root(cubic, 0.0, 3.0, 1e-14) - std::cbrt(2.0)) < 1e-14);
  // The order of the ends does not matter for the root.
  CHECK(std::abs(*brent_root(cubic, 3.0, 0.0, 1e-6) - std::cbrt(2.0)) < 1e-6);
}

TEST_CASE("Brent: a root at an end, and none") {
  CHECK(*brent_root([](double x) { return x - 1.0; }, 1.0, 2.0, 1e-6) == 1.0);
  CHECK(*brent_root([](double x) { return x - 2.0; }, 1.0, 2.0, 1e-6) == 2.0);
  CHECK_FALSE(brent_root([](double x) { return x * x + 1.0; }, -1.0, 2.0, 1e-6));
}

TEST_CASE("Brent: looks at the lower end first, then at the upper") {
  std::vector<double> asked;
  brent_root(
      [&](double x) {
        asked.push_back(x);
        return x - 0.3;
      },
      0.0, 1.0, 1e-6);
  REQUIRE(asked.size() >= 3);
  CHECK(asked[0] == 0.0);
  CHECK(asked[1] == 1.0);
  CHECK(asked[2] == near(0.3, 1e-12));  // the secant of a line is its root
  CHECK(asked.size() <= 5);
}

TEST_CASE("piecewise activation has the constants of the original") {
  // shape factor, X0, Y0, m, c, a_p, b (reference C.1)
  const std::array<std::array<double, 7>, 2> rows{
      {{0.02, 0.294358, 0.322642, 0.959917, 0.040083, 1.188597, 1.059466},
       {0.12, 0.223648, 0.393352, 0.781408, 0.218592, 0.204731, 26.067268}}};
  for (const auto& [shape, x0, y0, m, c, scale, rate] : rows) {
    const PiecewiseActivation activation(shape);
    CHECK(std::abs(activation.node() - x0) < 5e-7);
    CHECK(std::abs(activation.slope() - m) < 5e-7);
    CHECK(std::abs(activation.intercept() - c) < 5e-7);
    CHECK(std::abs(activation.scale() - scale) < 5e-7);
    CHECK(std::abs(activation.rate() - rate) < 5e-7);
    CHECK(std::abs(activation(x0) - y0) < 2e-6);
    CHECK(activation(0.0) == 0.0);
    CHECK(activation(1.0) == near(1.0, 1e-14));
    const double gap = activation(activation.node()) - activation(activation.node() - 1e-12);
    CHECK(std::abs(gap) < 1e-10);
    CHECK(activation(-10.0) == 0.0);
  }
}

TEST_CASE("neural activation: the third sample restarts it, pushes without update count") {
  kernel::MtuParameters<double> p{};
  p.c1 = -0.5;
  p.c2 = -0.3;
  const double gain = 1.0 - 0.8 + 0.15;
  NeuralActivation filter(p);
  const double u0 = filter.next(0.4);
  CHECK(u0 == near(gain * 0.4, 1e-15));
  CHECK(filter.peek(0.2) == near(gain * 0.2 + 0.8 * u0, 1e-15));
  CHECK(filter.next(0.2) == near(gain * 0.2 + 0.8 * u0, 1e-15));
  const double mean = 0.5 * (0.4 + 0.2);
  CHECK(filter.next(0.6) == near(gain * 0.6 + 0.8 * mean - 0.15 * mean, 1e-15));

  NeuralActivation repeated(p);
  const double first = repeated.next(0.4);
  repeated.repeat(0.9);  // both past values are now `first`, and two samples were pushed
  const double restarted = 0.5 * (0.4 + 0.9);
  CHECK(repeated.peek(0.1) == near(gain * 0.1 + (0.8 - 0.15) * restarted, 1e-15));
  repeated.repeat(0.9);
  CHECK(repeated.peek(0.1) == near(gain * 0.1 + (0.8 - 0.15) * first, 1e-15));
}

TEST_CASE("EMG rows: run-in, one row per frame, gaps") {
  const std::vector<double> time{0.0, 0.01, 0.02};
  std::vector<double> emg_time;
  for (int i = 0; i < 50; ++i) emg_time.push_back(-0.02 + 0.001 * i);
  const EmgRows rows = emg_rows(time, emg_time, 0.005);
  CHECK(rows.run_in == 15);
  CHECK(rows.row == std::vector<std::size_t>{15, 25, 35});
  CHECK(rows.has_gaps);

  // A row up to 0.1 ms early is in time.
  const std::vector<double> early{-0.00009, 0.00992, 0.01993};
  const EmgRows same_rate = emg_rows(time, early, 0.0);
  CHECK(same_rate.run_in == 0);
  CHECK(same_rate.row == std::vector<std::size_t>{0, 1, 2});
  CHECK_FALSE(same_rate.has_gaps);
}

TEST_CASE("EMG rows: end where a frame has none of its own") {
  const std::vector<double> time{0.0, 0.01, 0.02, 0.03};
  const std::vector<double> slow{0.0, 0.02, 0.04};
  CHECK(emg_rows(time, slow, 0.0).row == std::vector<std::size_t>{0, 1});
  const std::vector<double> brief{0.0, 0.01};
  CHECK(emg_rows(time, brief, 0.0).row == std::vector<std::size_t>{0, 1});
  const std::vector<double> late{0.015, 0.025, 0.035};
  CHECK(emg_rows(time, late, 0.0).row == std::vector<std::size_t>{0});
  CHECK(emg_rows(time, {}, 0.0).row.empty());
}

TEST_CASE("causal slope is that of the spline through the last frames") {
  const std::vector<double> time{0.0, 0.01, 0.021, 0.03, 0.0405, 0.05};
  std::vector<double> value;
  for (const double t : time) value.push_back(std::sin(40.0 * t) + 0.1);
  const CausalSlope slope(time, 4);
  CHECK(slope.weights(0).size() == 1);
  CHECK(slope.of_latest(0) == 0.0);
  for (std::size_t k = 1; k < time.size(); ++k) {
    const std::size_t n = std::min<std::size_t>(4, k + 1);
    const std::span<const double> x(time);
    const std::span<const double> y(value);
    const kernel::CubicSpline spline{x.subspan(k + 1 - n, n), y.subspan(k + 1 - n, n)};
    const double got = slope.of_past(k, value.data()) + slope.of_latest(k) * value[k];
    CHECK(got == near(spline.derivative(time[k]), 1e-12));
  }
}

TEST_CASE("sample variance") {
  const std::array<double, 4> values{1.0, 2.0, 4.0, 9.0};
  CHECK(sample_variance(values) == near(38.0 / 3.0, 1e-14));
}

double bowl_at(std::span<const double> x) {
  return (x[0] - 0.3) * (x[0] - 0.3) + (x[1] + 0.2) * (x[1] + 0.2);
}

struct Bowl {
  std::vector<std::vector<double>> asked;
  AnnealingHooks hooks() {
    return {.objective =
                [this](std::span<const double> x) {
                  asked.emplace_back(x.begin(), x.end());
                  return bowl_at(x);
                },
            .report = [](const Temperature&) { return true; },
            .go_on = {}};
  }
};

constexpr AnnealingOptions settings{.no_epsilon = 3,
                                    .rt = 0.2,
                                    .temperature = 1.0,
                                    .ns = 10,
                                    .nt = 5,
                                    .epsilon = 1e-6,
                                    .max_no_eval = 5000};

TEST_CASE("annealing: finds the bottom, within bounds, in whole temperatures") {
  const std::array<double, 2> start{5.0, 0.0};  // the first is out of bounds
  const std::array<double, 2> lower{-1.0, -1.0};
  const std::array<double, 2> upper{1.0, 1.0};
  for (const AnnealingKind kind : {AnnealingKind::calibration, AnnealingKind::hybrid}) {
    Bowl bowl;
    const AnnealingResult result = anneal(kind, start, lower, upper, settings, bowl.hooks());
    CHECK(result.evaluations == bowl.asked.size());
    CHECK(result.evaluations == 100 * result.temperatures);
    CHECK(result.objective < 1e-3);
    CHECK(std::abs(result.x[0] - 0.3) < 0.05);
    // The first proposal moves the first coordinate only, by the first random number, but from a
    // start so far out it is drawn anew within the bounds.
    CHECK(bowl.asked[0][0] == -1.0 + 2.0 * (846930886.0 / 2147483647.0));
    CHECK(bowl.asked[0][1] == 0.0);
    for (const auto& x : bowl.asked) CHECK((std::abs(x[0]) <= 1.0 && std::abs(x[1]) <= 1.0));
  }
}

TEST_CASE("annealing: the modern variant evaluates its start and never ends above it") {
  const std::array<double, 2> lower{-1.0, -1.0};
  const std::array<double, 2> upper{1.0, 1.0};
  kernel::testing::Random random;
  std::vector<double> ends;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const std::array<double, 2> start{random.between(-1.0, 1.0), random.between(-1.0, 1.0)};
    AnnealingOptions modern = settings;
    modern.variant = AnnealingVariant::modern;
    modern.seed = seed;
    modern.max_no_eval = 2;  // one temperature, in which the bowl is hardly found
    modern.ns = modern.nt = 1;
    Bowl bowl;
    std::vector<std::size_t> numbers;
    AnnealingHooks hooks = bowl.hooks();
    hooks.report = [&](const Temperature& at) {
      numbers.push_back(at.number);
      return true;
    };
    const auto result = anneal(AnnealingKind::calibration, start, lower, upper, modern, hooks);
    CHECK(bowl.asked[0] == std::vector<double>{start[0], start[1]});
    CHECK(result.objective <= bowl_at(start));
    CHECK(result.evaluations == 3);
    CHECK(numbers == std::vector<std::size_t>{0, 1});
    ends.push_back(bowl.asked[1][0]);
    // The same seed, the same path.
    Bowl again;
    anneal(AnnealingKind::calibration, start, lower, upper, modern, again.hooks());
    CHECK(again.asked == bowl.asked);
  }
  std::sort(ends.begin(), ends.end());
  CHECK(std::unique(ends.begin(), ends.end()) == ends.end());
}

TEST_CASE("annealing: a modern start that is no number is left, and may be stopped at") {
  const std::array<double, 1> start{0.5};
  const std::array<double, 1> lower{-1.0};
  const std::array<double, 1> upper{1.0};
  AnnealingOptions modern = settings;
  modern.variant = AnnealingVariant::modern;
  int n = 0;
  AnnealingHooks hooks{.objective =
                           [&](std::span<const double> x) {
                             return n++ == 0 ? std::numeric_limits<double>::quiet_NaN()
                                             : x[0] * x[0];
                           },
                       .report = [](const Temperature&) { return true; },
                       .go_on = {}};
  const auto found = anneal(AnnealingKind::calibration, start, lower, upper, modern, hooks);
  CHECK(found.objective < 0.01);
  hooks.report = [](const Temperature&) { return false; };
  const auto stopped = anneal(AnnealingKind::calibration, start, lower, upper, modern, hooks);
  CHECK(stopped.status == AnnealingStatus::interrupted);
  CHECK(stopped.evaluations == 1);
  CHECK(stopped.x[0] == 0.5);
}

TEST_CASE("annealing: stops when asked, with the best so far") {
  const std::array<double, 2> start{0.0, 0.0};
  const std::array<double, 2> lower{-1.0, -1.0};
  const std::array<double, 2> upper{1.0, 1.0};
  Bowl bowl;
  AnnealingHooks hooks = bowl.hooks();
  hooks.go_on = [&] { return bowl.asked.size() < 37; };
  const AnnealingResult result =
      anneal(AnnealingKind::calibration, start, lower, upper, settings, hooks);
  CHECK(result.status == AnnealingStatus::interrupted);
  CHECK(result.evaluations == 37);
  double best = 1e300;
  for (const auto& x : bowl.asked) best = std::min(best, bowl_at(x));
  CHECK(result.objective == best);
}

TEST_CASE("annealing: goes on from any state to the very same result") {
  const std::array<double, 2> start{0.5, -0.5};
  const std::array<double, 2> lower{-1.0, -1.0};
  const std::array<double, 2> upper{1.0, 1.0};
  for (const AnnealingVariant variant : {AnnealingVariant::ceinms, AnnealingVariant::modern})
    for (const AnnealingKind kind : {AnnealingKind::calibration, AnnealingKind::hybrid}) {
      AnnealingOptions options = settings;
      options.variant = variant;
      options.seed = 7;
      Bowl whole;
      std::vector<AnnealingState> states;
      AnnealingHooks hooks = whole.hooks();
      hooks.keeps = [] { return true; };
      hooks.keep = [&](const AnnealingState& state) { states.push_back(state); };
      const AnnealingResult expected = anneal(kind, start, lower, upper, options, hooks);
      for (std::size_t i = 0; i < states.size(); i += 1 + i / 3) {
        Bowl rest;
        const AnnealingResult result =
            anneal(kind, start, lower, upper, options, rest.hooks(), &states[i]);
        CHECK(result.x == expected.x);
        CHECK(result.objective == expected.objective);
        CHECK(result.evaluations == expected.evaluations);
        CHECK(result.temperatures == expected.temperatures);
        CHECK(result.status == expected.status);
        const auto from = whole.asked.begin() + static_cast<std::ptrdiff_t>(states[i].evaluations);
        CHECK(rest.asked == std::vector(from, whole.asked.end()));
      }
    }
}

TEST_CASE("random numbers go on from a state, and from nothing else") {
  GlibcRandom glibc(5);
  PortableRandom portable(5);
  for (int i = 0; i < 40; ++i) CHECK(glibc.uniform() + portable.uniform() >= 0.0);
  GlibcRandom glibc_again;
  PortableRandom portable_again(1);
  glibc_again.restore(glibc.state());
  portable_again.restore(portable.state());
  for (int i = 0; i < 400; ++i) {
    CHECK(glibc.next() == glibc_again.next());
    CHECK(portable.uniform() == portable_again.uniform());
  }
  for (const char* state : {"", "1 2 3", "nonsense", "31"}) {
    CHECK_THROWS(glibc.restore(state));
    CHECK_THROWS(portable.restore(state));
  }
}

TEST_CASE("annealing: refuses what it would never end with") {
  using Numbers = std::vector<double>;
  const auto run = [](const Numbers& start, const Numbers& lower, const Numbers& upper,
                      const AnnealingOptions& options) {
    return anneal(AnnealingKind::calibration, start, lower, upper, options, Bowl().hooks());
  };
  const Numbers middle{0.0, 0.0}, low{-1.0, -1.0}, high{1.0, 1.0};
  CHECK_NOTHROW(run(middle, low, high, settings));
  CHECK_NOTHROW(run(middle, middle, middle, settings));
  CHECK_THROWS_AS(run({}, {}, {}, settings), kernel::InputError);
  CHECK_THROWS_AS(run(middle, {-1.0}, high, settings), kernel::InputError);
  CHECK_THROWS_AS(run(middle, low, {1.0, 1.0, 1.0}, settings), kernel::InputError);
  CHECK_THROWS_AS(run(middle, high, low, settings), kernel::InputError);
  CHECK_THROWS_AS(run({0.0, std::nan("")}, low, high, settings), kernel::InputError);
  CHECK_THROWS_AS(run(middle, low, {1.0, HUGE_VAL}, settings), kernel::InputError);
  const auto with = [](auto AnnealingOptions::*setting, auto value) {
    AnnealingOptions changed = settings;
    changed.*setting = value;
    return changed;
  };
  for (const auto setting :
       {&AnnealingOptions::ns, &AnnealingOptions::nt, &AnnealingOptions::no_epsilon})
    CHECK_THROWS_AS(run(middle, low, high, with(setting, std::size_t{0})), kernel::InputError);
  CHECK_THROWS_AS(run(middle, low, high, with(&AnnealingOptions::no_epsilon, ~std::size_t{0})),
                  kernel::InputError);
  CHECK_THROWS_AS(run(middle, low, high, with(&AnnealingOptions::rt, std::nan(""))),
                  kernel::InputError);
}

TEST_CASE("annealing: says when no objective is a number") {
  const std::array<double, 1> at{0.0};
  const std::array<double, 1> upper{1.0};
  Bowl bowl;
  AnnealingHooks hooks = bowl.hooks();
  hooks.objective = [](std::span<const double>) {
    return std::numeric_limits<double>::quiet_NaN();
  };
  const AnnealingResult result = anneal(AnnealingKind::calibration, at, at, upper, settings, hooks);
  CHECK(result.status == AnnealingStatus::not_finite);
}

}  // namespace
}  // namespace ceinms_torch::legacy
