/// One MTU through one trial: simulate_mtu against its parts, and its derivatives.
#include "ceinms_torch/kernel/trajectory.hpp"
#include "ceinms_torch/kernel/trial.hpp"
#include "helpers.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

namespace ceinms_torch::kernel {
namespace {

using namespace testing;
using Kind = ParameterKind;
using Vector = std::vector<double>;
using Curves = MtuCurves<PiecewiseCubic>;

constexpr std::size_t em_delay = index_of(Kind::em_delay);

/// Everything that drives one MTU, with its own memory.
struct Signals {
  Vector time;
  Vector mtu_length;
  Vector mtu_velocity;
  Vector excitation;
  double excitation_start = 0.0;
  double excitation_rate = 0.0;

  MtuInput input() const {
    return {.n_step = time.size(),
            .n_row = excitation.size(),
            .time = time.data(),
            .mtu_length = {mtu_length.data(), 1},
            .mtu_velocity = {mtu_velocity.data(), 1},
            .excitation = {excitation.data(), 1},
            .excitation_start = excitation_start,
            .excitation_rate = excitation_rate};
  }
};

constexpr std::size_t n_row = 80;

/// 40 steps at 100 Hz from time 0; an excitation between 0 and 1 from `start` on.
Signals signals(double start, double rate = 100.0) {
  Signals result;
  for (std::size_t i = 0; i < 40; ++i) {
    const double t = static_cast<double>(i) / 100.0;
    result.time.push_back(t);
    result.mtu_length.push_back(0.297 + 0.006 * std::sin(9.0 * t));
    result.mtu_velocity.push_back(0.054 * std::cos(9.0 * t));
  }
  for (std::size_t i = 0; i < n_row; ++i)
    result.excitation.push_back(0.4 + 0.3 * std::sin(0.5 * static_cast<double>(i)) +
                                0.1 * std::cos(2.1 * static_cast<double>(i)));
  result.excitation_start = start;
  result.excitation_rate = rate;
  return result;
}

/// The six columns of a simulation, in the order of MtuOutput.
template <class T>
struct Results {
  explicit Results(std::size_t n_step) { columns.fill(std::vector<T>(n_step)); }
  MtuOutput<T> output() {
    return {{columns[0].data(), 1}, {columns[1].data(), 1}, {columns[2].data(), 1},
            {columns[3].data(), 1}, {columns[4].data(), 1}, {columns[5].data(), 1}};
  }
  std::array<std::vector<T>, 6> columns;
};
constexpr std::array<const char*, 6> column_names{
    "activation", "fibre length", "fibre velocity", "pennation angle", "tendon strain", "force"};
/// What is large for each column, to make errors comparable.
constexpr std::array<double, 6> column_scales{1.0, 0.05, 0.5, 1.0, 0.05, 4200.0};

template <class T>
Results<T> simulate(const Curves& curves, const MtuParameters<T>& parameters,
                    const Signals& signals, const SimulationOptions& options) {
  Results<T> results(signals.time.size());
  simulate_mtu(curves, Mtu<T>(parameters), signals.input(), options, results.output());
  return results;
}

Vector activations(const ParameterArray& parameters, const Signals& signals, FilterStart start) {
  const SimulationOptions options{TendonModel::stiff, start};
  return simulate(default_curves(), plain_parameters(parameters), signals, options).columns[0];
}

/// Eqs. (1) and (2) for samples `e` of which the last 40 belong to the steps.
Vector expected_activations(const ParameterArray& p, Vector e, FilterStart start) {
  for (double& one : e) one *= p[index_of(Kind::emg_gain)];
  const double b1 = p[index_of(Kind::c1)] + p[index_of(Kind::c2)];
  const double b2 = p[index_of(Kind::c1)] * p[index_of(Kind::c2)];
  const double shape = p[index_of(Kind::shape_factor)];
  double u1 = 0.0;
  double u2 = 0.0;
  Vector result;
  for (std::size_t n = 0; n < e.size(); ++n) {
    if (n == 2 && start == FilterStart::ceinms) u1 = u2 = (e[0] + e[1]) / 2.0;
    const double u = (1.0 + b1 + b2) * e[n] - b1 * u1 - b2 * u2;
    u2 = u1;
    u1 = u;
    if (n + 40 >= e.size()) result.push_back(std::expm1(shape * u) / std::expm1(shape));
  }
  return result;
}

void check_equal(const Vector& actual, const Vector& expected, double tolerance) {
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(i);
    CHECK(actual[i] == near(expected[i], tolerance));
  }
}

constexpr FilterStart both_starts[] = {FilterStart::zero, FilterStart::ceinms};

TEST_CASE("trajectory: equals its parts put together step by step") {
  // The signal starts 0.1 s before the trial and acts 0.05 s later: step k uses row 5 + k, rows
  // 0 to 4 are the run-in.
  const Signals given = signals(-0.1);
  const ParameterArray parameters = with(soleus, em_delay, 0.05);
  const Mtu<double> mtu(plain_parameters(parameters));
  for (const auto& curves : {manual_curves(), default_curves()}) {
    for (const FilterStart start : both_starts) {
      const Vector samples(given.excitation.begin(), given.excitation.begin() + 45);
      const Vector a = expected_activations(parameters, samples, start);
      for (const TendonModel tendon : {TendonModel::stiff, TendonModel::rosenbrock}) {
        Results<double> expected(a.size());
        ElasticFibre<double> fibre{};
        FibreState<double>& state = fibre.state;
        for (std::size_t i = 0; i < a.size(); ++i) {
          const double lmt = given.mtu_length[i];
          if (tendon == TendonModel::stiff) {
            const double stretch = lmt - 0.25;
            const double length = std::hypot(mtu.thickness, stretch);
            state = {length, stretch / length * given.mtu_velocity[i], a[i], lmt};
          } else if (i == 0) {
            state = {equilibrium_fibre_length(curves, mtu, a[0], lmt), 0.0, a[0], lmt};
            fibre.imbalance = forces_with_partials(curves, mtu, state).imbalance();
          } else {
            fibre = elastic_step(curves, mtu, fibre, a[i], lmt, given.time[i] - given.time[i - 1],
                                 [](std::size_t, const FibreState<double>&, double) {})
                        .fibre;
          }
          const double angle = std::asin(mtu.thickness / state.fibre_length);
          const double norm_velocity = state.fibre_velocity / 0.5;
          REQUIRE(std::abs(norm_velocity) < 1.0);
          const std::array<double, 6> values{
              a[i],
              state.fibre_length,
              state.fibre_velocity,
              angle,
              (lmt - state.fibre_length * std::cos(angle) - 0.25) / 0.25,
              4200.0 * std::cos(angle) *
                  fibre_force(curves, mtu, state.fibre_length, norm_velocity, a[i])};
          for (std::size_t column = 0; column < 6; ++column)
            expected.columns[column][i] = values[column];
        }
        const auto actual = simulate(curves, plain_parameters(parameters), given, {tendon, start});
        for (std::size_t column = 0; column < 6; ++column) {
          INFO(column_names[column]);
          // The same operations in another order, rounded in 40 dependent steps.
          check_equal(actual.columns[column], expected.columns[column], 1e-12);
        }
      }
    }
  }
}

TEST_CASE("trajectory: delays that end between two rows") {
  // Step k acts at row 5.3 + k. The run-in takes ceil(5.3) = 6 samples, the first on the ramp
  // from zero that leads to row 0.
  const Signals given = signals(-0.1);
  const ParameterArray parameters = with(soleus, em_delay, 0.047);
  const Vector& e = given.excitation;
  Vector samples{0.3 * e[0]};
  for (std::size_t i = 0; samples.size() < 46; ++i) samples.push_back(0.7 * e[i] + 0.3 * e[i + 1]);
  for (const FilterStart start : both_starts)
    // Rows computed from times are rounded to 1e-14.
    check_equal(activations(parameters, given, start),
                expected_activations(parameters, samples, start), 1e-12);
}

TEST_CASE("trajectory: a signal that is faster than the steps") {
  // 1 kHz: step k acts at row 20 + 10 k; CEINMS filters the run-in at 1 kHz, the trial at 100 Hz.
  Signals given = signals(-0.03, 1000.0);
  given.time.resize(6);
  const ParameterArray parameters = with(soleus, em_delay, 0.01);
  Vector samples(given.excitation.begin(), given.excitation.begin() + 21);
  for (std::size_t row = 30; row <= 70; row += 10) samples.push_back(given.excitation[row]);
  // expected_activations keeps 40: all 26.
  const Vector all = expected_activations(parameters, samples, FilterStart::ceinms);
  const Vector last_six(all.end() - 6, all.end());
  check_equal(activations(parameters, given, FilterStart::ceinms), last_six, 1e-12);
}

TEST_CASE("trajectory: a signal that starts late is zero before, and counts from its start") {
  // Row 0 acts at 0.12 + 0.05 s: step 17.
  const Signals given = signals(0.12);
  const ParameterArray parameters = with(soleus, em_delay, 0.05);
  Vector samples(17, 0.0);
  samples.insert(samples.end(), given.excitation.begin(), given.excitation.begin() + 23);
  const Vector from_rest = activations(parameters, given, FilterStart::zero);
  for (std::size_t i = 0; i < 17; ++i) CHECK(from_rest[i] == near(0.0, 1e-13));
  check_equal(from_rest, expected_activations(parameters, samples, FilterStart::zero), 1e-12);

  // CEINMS counts samples it has been given: the third is row 2.
  Vector expected(17, 0.0);
  const Vector started(given.excitation.begin(), given.excitation.begin() + 23);
  const Vector rest = expected_activations(parameters, started, FilterStart::ceinms);
  expected.insert(expected.end(), rest.begin(), rest.end());
  check_equal(activations(parameters, given, FilterStart::ceinms), expected, 1e-12);
}

TEST_CASE("trajectory: zeros in front of a signal change nothing when it starts from rest") {
  for (const double delay : {0.05, 0.0437}) {
    for (const double start : {-0.1, 0.12}) {
      CAPTURE(delay);
      CAPTURE(start);
      const ParameterArray parameters = with(soleus, em_delay, delay);
      const Signals given = signals(start);
      Signals padded = signals(start - 0.3);
      padded.excitation.insert(padded.excitation.begin(), 30, 0.0);
      check_equal(activations(parameters, padded, FilterStart::zero),
                  activations(parameters, given, FilterStart::zero), 1e-12);
    }
  }
}

TEST_CASE("trajectory: after its end the signal keeps its last value") {
  Signals given = signals(-0.1);
  Signals continued = given;
  given.excitation.resize(20);
  for (std::size_t i = 20; i < n_row; ++i) continued.excitation[i] = given.excitation.back();
  for (const double delay : {0.05, 0.0437}) {
    const ParameterArray parameters = with(soleus, em_delay, delay);
    check_equal(activations(parameters, given, FilterStart::ceinms),
                activations(parameters, continued, FilterStart::ceinms), 1e-15);
  }
}

TEST_CASE("trajectory: sensitivities to all parameters equal central differences") {
  using D = ParameterDual;
  constexpr ParameterArray scales = parameter_scales;
  // Row 5.63 + k: neither delay nor step comes near a row.
  const Signals given = signals(-0.1);
  for (const auto& curves : {manual_curves(), default_curves()}) {
    for (const TendonModel tendon : {TendonModel::stiff, TendonModel::rosenbrock}) {
      for (const FilterStart start : both_starts) {
        const SimulationOptions options{tendon, start};
        const auto plain = simulate(curves, plain_parameters(soleus), given, options);
        const auto dual = simulate<D>(curves, variable_parameters(soleus), given, options);
        for (std::size_t column = 0; column < 6; ++column) {
          for (std::size_t i = 0; i < n_parameter_kind; ++i) {
            // So short that no step of the tendon is divided on one side only, where quantities
            // jump.
            const double step = 1e-6 * scales[i];
            const auto at = [&](double offset) {
              const ParameterArray moved = with(soleus, i, soleus[i] + offset * step);
              return simulate(curves, plain_parameters(moved), given, options).columns[column];
            };
            const std::array<Vector, 4> moved{at(-2.0), at(-1.0), at(1.0), at(2.0)};
            for (const std::size_t k : {0U, 1U, 7U, 39U}) {
              INFO(column_names[column]);
              INFO(parameter_names[i]);
              CAPTURE(k);
              const D& value = dual.columns[column][k];
              const double scale = column_scales[column];
              CHECK(value.value / scale == near(plain.columns[column][k] / scale, 1e-11));
              const double slope =
                  (8.0 * (moved[2][k] - moved[1][k]) - (moved[3][k] - moved[0][k])) / (12.0 * step);
              // Shares of the column's and the parameter's scale. The curves' third derivative
              // (up to 1e3) jumps at knots, which some of the 40 steps cross within the step.
              CHECK(value.partial[i] * scales[i] / scale == near(slope * scales[i] / scale, 1e-5));
            }
          }
        }
      }
    }
  }
}

TEST_CASE("trial: columns of tables, and moments as sums of forces times moment arms") {
  const Signals first = signals(-0.1);
  const ParameterArray stronger = with(soleus, index_of(Kind::strength_coefficient), 1.7);
  const std::size_t n_step = first.time.size();
  // Two MTUs that see the same signals, two DOFs.
  const auto twice = [](const Vector& column) {
    Vector table;
    for (const double value : column) table.insert(table.end(), 2, value);
    return table;
  };
  const Vector mtu_length = twice(first.mtu_length);
  const Vector mtu_velocity = twice(first.mtu_velocity);
  const Vector excitation = twice(first.excitation);
  Vector moment_arm;
  for (std::size_t i = 0; i < n_step; ++i) {
    const double arm = 0.04 + 1e-4 * static_cast<double>(i);
    moment_arm.insert(moment_arm.end(), {arm, -0.5 * arm, 0.0, 2.0 * arm});
  }
  Vector parameters;
  for (std::size_t i = 0; i < n_parameter_kind; ++i)
    parameters.insert(parameters.end(), {soleus[i], stronger[i]});

  std::array<Vector, 6> columns;
  columns.fill(Vector(2 * n_step));
  Vector moments(2 * n_step);
  const SimulationOptions options{};
  simulate_trial(
      manual_curves(), parameters.data(),
      TrialInput{.n_step = n_step,
                 .n_row = n_row,
                 .n_mtu = 2,
                 .n_dof = 2,
                 .time = first.time.data(),
                 .mtu_length = mtu_length.data(),
                 .mtu_velocity = mtu_velocity.data(),
                 .moment_arm = moment_arm.data(),
                 .excitation = excitation.data(),
                 .excitation_start = first.excitation_start,
                 .excitation_rate = first.excitation_rate},
      options,
      TrialOutput{columns[0].data(), columns[1].data(), columns[2].data(), columns[3].data(),
                  columns[4].data(), columns[5].data(), moments.data()});
  const auto weak = simulate(manual_curves(), plain_parameters(soleus), first, options);
  const auto strong = simulate(manual_curves(), plain_parameters(stronger), first, options);
  for (std::size_t k = 0; k < n_step; ++k) {
    for (std::size_t column = 0; column < 6; ++column) {
      CHECK(columns[column][2 * k] == weak.columns[column][k]);
      CHECK(columns[column][2 * k + 1] == strong.columns[column][k]);
    }
    const double f0 = weak.columns[5][k];
    const double f1 = strong.columns[5][k];
    const double* arm = moment_arm.data() + 4 * k;
    // Sums of two products.
    CHECK(moments[2 * k] == near(arm[0] * f0 + arm[1] * f1, 1e-14));
    CHECK(moments[2 * k + 1] == near(arm[2] * f0 + arm[3] * f1, 1e-14));
  }
}

}  // namespace
}  // namespace ceinms_torch::kernel
