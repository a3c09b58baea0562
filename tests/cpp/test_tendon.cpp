/// Force imbalance (eq. A6), static equilibrium and the stiff tendon.
#include "ceinms_torch/kernel/tendon.hpp"
#include "helpers.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

namespace ceinms_torch::kernel {
namespace {

using namespace testing;
using Kind = ParameterKind;

constexpr std::size_t lmo = index_of(Kind::optimal_fibre_length);
constexpr std::size_t lts = index_of(Kind::tendon_slack_length);

/// Parameters, activation and MTU length of a random MTU from a toe flexor to a sartorius; the
/// MTU length lies between `low` and `high` lmo above tendon slack.
struct RandomMtu {
  ParameterArray parameters = soleus;
  double activation;
  double mtu_length;

  RandomMtu(Random& random, double low, double high) {
    parameters[lmo] = random.between(0.02, 0.4);
    parameters[index_of(Kind::pennation_angle)] = random.between(0.0, 0.6);
    parameters[lts] = random.between(0.02, 0.4);
    parameters[index_of(Kind::damping)] = random.between(0.01, 0.3);
    parameters[index_of(Kind::percentage_change)] = random.between(0.0, 0.3);
    activation = random.between(0.0, 1.0);
    mtu_length = parameters[lts] + parameters[lmo] * random.between(low, high);
  }
  Mtu<double> mtu() const { return Mtu<double>(plain_parameters(parameters)); }
};

TEST_CASE("tendon strain: zero at slack length") {
  const Mtu<double> mtu(plain_parameters(soleus));
  const double along_tendon = 0.06 * cos_pennation(mtu, 0.06);
  CHECK(tendon_strain(mtu, 0.06, cos_pennation(mtu, 0.06), along_tendon + 0.25) ==
        near(0.0, 1e-14));
  CHECK(tendon_strain(mtu, 0.06, cos_pennation(mtu, 0.06), along_tendon + 0.25 * 1.03) ==
        near(0.03, 1e-14));
}

TEST_CASE("force imbalance: tendon, as stiff as it is, minus muscle, velocity unclamped") {
  const MtuCurves<PiecewiseCubic> curves = manual_curves();
  const Mtu<double> mtu(plain_parameters(soleus));
  const double cosine = cos_pennation(mtu, 0.052);
  for (const double velocity : {-0.9, -0.1, 0.0, 0.2}) {  // peak velocity is 0.5 m/s
    const double tendon =
        1.1 * curves.tendon_force_strain.value(tendon_strain(mtu, 0.052, cosine, 0.3));
    const double muscle = fibre_force(curves, mtu, 0.052, velocity / 0.5, 0.7);
    CHECK(force_imbalance(curves, mtu, 0.052, velocity, 0.7, 0.3) ==
          near(tendon - cosine * muscle, 1e-14));
  }
}

TEST_CASE("force imbalance: every partial equals its central difference") {
  constexpr std::size_t n_input = 4 + n_parameter_kind;
  using D = Dual<double, n_input>;
  constexpr auto scales = and_parameters({0.05, 0.5, 1.0, 0.05}, parameter_scales);
  const auto imbalance = [](const auto& curves, const auto& x) {
    using T = typename std::decay_t<decltype(x)>::value_type;
    const Mtu<T> mtu(MtuParameters<T>::from([&](Kind kind) { return x[4 + index_of(kind)]; }));
    return force_imbalance(curves, mtu, x[0], x[1], x[2], x[3]);
  };
  // Fibre length, velocity, activation, MTU length: a taut and a slack tendon, shortening,
  // lengthening and isometric.
  constexpr std::array<std::array<double, 4>, 4> instants{{{0.0465, -0.07, 0.42, 0.2976},
                                                           {0.0565, 0.043, 0.9, 0.3061},
                                                           {0.0485, 0.0, 0.15, 0.29},
                                                           {0.035, -0.6, 0.6, 0.29}}};
  for (const auto& curves : {manual_curves(), default_curves()}) {
    for (std::size_t instant = 0; instant < instants.size(); ++instant) {
      std::array<double, n_input> x{};
      std::copy(instants[instant].begin(), instants[instant].end(), x.begin());
      std::copy(soleus.begin(), soleus.end(), x.begin() + 4);
      std::array<D, n_input> variables;
      for (std::size_t i = 0; i < n_input; ++i) variables[i] = D::variable(x[i], 1.0, i);
      const D f = imbalance(curves, variables);
      for (std::size_t i = 0; i < n_input; ++i) {
        CAPTURE(instant);
        CAPTURE(i);
        const double slope = central_difference(
            [&](double s) { return imbalance(curves, with(x, i, s)); }, x[i], 1e-5 * scales[i]);
        // Per scale of the input. Rounding over the step: 1e-11; the default curves' knots may
        // lie within the step and add their small jumps.
        CHECK(f.partial[i] * scales[i] == near(slope * scales[i], 1e-8));
      }
    }
  }
}

TEST_CASE("equilibrium: muscle and tendon pull alike, for many MTUs") {
  for (const auto& curves : {manual_curves(), default_curves()}) {
    Random random;
    int n_taut = 0;
    for (int i = 0; i < 2000; ++i) {
      CAPTURE(i);
      const RandomMtu at(random, -0.2, 1.8);
      const Mtu<double> mtu = at.mtu();
      const double length = equilibrium_fibre_length(curves, mtu, at.activation, at.mtu_length);
      CHECK(length >= mtu.least_fibre_length);
      if (length == mtu.least_fibre_length) {
        // Slack: even the shortest fibre cannot stretch the tendon enough.
        CHECK(force_imbalance(curves, mtu, length, 0.0, at.activation, at.mtu_length) <= 0.0);
        continue;
      }
      ++n_taut;
      // In units of F0 S. The stiffest of these tendons gives 1e4 per metre, and a length of
      // 0.5 m is rounded to 1e-16.
      const double residual =
          force_imbalance(curves, mtu, length, 0.0, at.activation, at.mtu_length);
      CHECK(std::abs(residual) < 1e-12);
    }
    CHECK(n_taut > 1500);
  }
}

/// A table that counts how often it is asked.
struct CountingTable {
  PiecewiseCubic table;
  int* count;

  double value(double x) const { return table.value(x); }
  std::pair<double, double> value_and_slope(double x) const {
    ++*count;
    return table.value_and_slope(x);
  }
};

TEST_CASE("equilibrium: Newton's method converges and then stops") {
  int count = 0;
  const MtuCurves<PiecewiseCubic> plain = manual_curves();
  const MtuCurves<CountingTable> curves{{plain.active_force_length, &count},
                                        {plain.passive_force_length, &count},
                                        {plain.force_velocity, &count},
                                        {plain.tendon_force_strain, &count}};
  Random random;
  for (int i = 0; i < 1000; ++i) {
    CAPTURE(i);
    const RandomMtu at(random, 0.3, 1.6);
    count = 0;
    equilibrium_fibre_length(curves, at.mtu(), at.activation, at.mtu_length);
    // Four look-ups an evaluation; seven evaluations are usual. Halving the bracket to 1e-13 m
    // would take 40.
    CHECK(count / 4 <= 15);
  }
}

TEST_CASE("equilibrium: a slack MTU keeps its least fibre length") {
  const Mtu<ParameterDual> mtu(variable_parameters(soleus));
  using D = ParameterDual;
  for (const auto& curves : {manual_curves(), default_curves()}) {
    for (const double mtu_length : {0.05, 0.2, 0.25}) {
      const D length =
          equilibrium_fibre_length(curves, mtu, D::constant(0.3), D::constant(mtu_length));
      CHECK(length.value == mtu.least_fibre_length.value);
      CHECK(length.partial == mtu.least_fibre_length.partial);
    }
  }
}

TEST_CASE("equilibrium: implicit derivatives equal central differences of the solver") {
  constexpr std::size_t n_input = 2 + n_parameter_kind;
  using D = Dual<double, n_input>;
  const auto length_at = [](const auto& curves, const auto& x) {
    using T = typename std::decay_t<decltype(x)>::value_type;
    const Mtu<T> mtu(MtuParameters<T>::from([&](Kind kind) { return x[2 + index_of(kind)]; }));
    return equilibrium_fibre_length(curves, mtu, x[0], x[1]);
  };
  for (const auto& curves : {manual_curves(), default_curves()}) {
    Random random;
    for (int sample = 0; sample < 40; ++sample) {
      const RandomMtu at(random, 0.6, 1.4);
      std::array<double, n_input> x{at.activation, at.mtu_length};
      std::copy(at.parameters.begin(), at.parameters.end(), x.begin() + 2);
      std::array<D, n_input> variables;
      for (std::size_t i = 0; i < n_input; ++i) variables[i] = D::variable(x[i], 1.0, i);
      const D length = length_at(curves, variables);
      // One more Newton step at the root, in Dual arithmetic, moves the value by rounding only.
      CHECK(length.value == near(length_at(curves, x), 1e-13));
      for (std::size_t i = 0; i < n_input; ++i) {
        CAPTURE(sample);
        CAPTURE(i);
        const double scale = i == 1 ? x[2 + lmo] : std::abs(x[i]);
        const double slope = central_difference(
            [&](double s) { return length_at(curves, with(x, i, s)); }, x[i], 1e-5 * scale);
        // As shares of lmo. The solver stops within 1e-13 m: 1e-8 of 0.02 m over the step, times
        // what the curves' knots add where one lies within the step.
        CHECK(length.partial[i] * scale / x[2 + lmo] == near(slope * scale / x[2 + lmo], 1e-6));
      }
      const std::size_t muscle_only[] = {index_of(Kind::c1), index_of(Kind::max_isometric_force),
                                         index_of(Kind::strength_coefficient),
                                         index_of(Kind::damping)};
      for (const std::size_t i : muscle_only) CHECK(length.partial[2 + i] == 0.0);
    }
  }
}

TEST_CASE("stiff tendon: Pythagoras, losing the sign of lmt - lts as CEINMS does") {
  const Mtu<double> mtu(plain_parameters(soleus));
  for (const double stretch : {-0.06, 0.01, 0.045}) {
    const double length = stiff_fibre_length(mtu, 0.25 + stretch);
    CHECK(length == near(std::hypot(0.05 * std::sin(0.43), stretch), 1e-15));
    // The fibre's share along the tendon is what the tendon leaves over.
    CHECK(length * cos_pennation(mtu, length) == near(std::abs(stretch), 1e-15));
  }
}

TEST_CASE("stiff tendon: the velocity is the time derivative of the length") {
  const Mtu<double> mtu(plain_parameters(soleus));
  const auto mtu_length = [](double t) { return 0.29 + 0.02 * std::sin(7.0 * t); };
  const auto mtu_velocity = [](double t) { return 0.14 * std::cos(7.0 * t); };
  for (double t = 0.0; t < 1.0; t += 0.03) {
    CAPTURE(t);
    const double length = stiff_fibre_length(mtu, mtu_length(t));
    const double velocity = stiff_fibre_velocity(mtu, length, mtu_length(t), mtu_velocity(t));
    const double expected = central_difference(
        [&](double s) { return stiff_fibre_length(mtu, mtu_length(s)); }, t, 1e-3);
    // (7 rad/s * 1e-3 s)^4 = 2e-9 of the fifth derivative over 30.
    CHECK(velocity == near(expected, 1e-9));
  }
}

TEST_CASE("MTU force: eq. (3) along the tendon, the stiff tendon's velocity clamped") {
  const MtuCurves<PiecewiseCubic> curves = manual_curves();
  const Mtu<double> mtu(plain_parameters(soleus));
  const double cosine = cos_pennation(mtu, 0.052);
  const auto force = [&](double velocity, TendonModel tendon) {
    return mtu_force(curves, mtu, FibreState<double>{0.052, velocity, 0.7, 0.3}, cosine, tendon);
  };
  const auto expected = [&](double norm_velocity) {
    return 4200.0 * cosine * fibre_force(curves, mtu, 0.052, norm_velocity, 0.7);
  };
  for (const double velocity : {-0.4, 0.0, 0.3}) {
    CHECK(force(velocity, TendonModel::stiff) == near(expected(velocity / 0.5), 1e-14));
    CHECK(force(velocity, TendonModel::rosenbrock) == near(expected(velocity / 0.5), 1e-14));
  }
  CHECK(force(-0.8, TendonModel::stiff) == near(expected(-1.0), 1e-14));
  CHECK(force(0.8, TendonModel::stiff) == near(expected(1.0), 1e-14));
  CHECK(force(-0.8, TendonModel::rosenbrock) == near(expected(-1.6), 1e-14));
  CHECK(force(0.8, TendonModel::rosenbrock) == near(expected(1.6), 1e-14));
}

}  // namespace
}  // namespace ceinms_torch::kernel
