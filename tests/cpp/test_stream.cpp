/// Instants one by one: the stepper, and streams against whole trials.
#include "ceinms_torch/engine/stream.hpp"
#include "ceinms_torch/kernel/trial.hpp"
#include "helpers.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <new>
#include <stdexcept>
#include <vector>

// Every allocation of the program is counted: "without allocation" is tested, not promised. GCC
// takes `free` in a replaced `delete` for a mismatch.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif
namespace {
std::atomic<std::size_t> n_allocation{0};
void* allocated(std::size_t size, std::size_t alignment) {
  ++n_allocation;
  void* memory = std::aligned_alloc(alignment, (size + alignment) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
}  // namespace
void* operator new(std::size_t size) {
  return allocated(size, alignof(std::max_align_t));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocated(size, static_cast<std::size_t>(alignment));
}
// The library's sorting takes this one; left alone it would not match the `delete` below.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++n_allocation;
  return std::malloc(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace ceinms_torch::engine {
namespace {

using namespace kernel::testing;
using kernel::FilterStart;
using kernel::n_parameter_kind;
using kernel::ParameterKind;
using kernel::TendonModel;
using Vector = std::vector<double>;

constexpr std::size_t n_step = 60;
constexpr std::size_t n_dof = 2;
constexpr double rate = 128.0;  // [Hz]: time steps without rounding, so that results must agree
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// Recordings of MTUs that differ in everything; excitations begin `n_early` samples before.
struct Recording {
  std::size_t n_mtu;
  std::size_t n_early;
  Vector parameters, time, mtu_length, mtu_velocity, moment_arm, excitation;

  const double* excitation_at(std::size_t sample) const {
    return excitation.data() + sample * n_mtu;
  }
  const double* length_at(std::size_t k) const { return mtu_length.data() + k * n_mtu; }
  const double* arm_at(std::size_t k) const { return moment_arm.data() + k * n_dof * n_mtu; }
  double& parameter(ParameterKind kind, std::size_t mtu) {
    return parameters[static_cast<std::size_t>(kind) * n_mtu + mtu];
  }
};

Recording recording(std::size_t n_mtu, std::size_t n_early) {
  Recording r{n_mtu, n_early, Vector(n_parameter_kind * n_mtu), {}, {}, {}, {}, {}};
  // Whole and fractional numbers of samples, none, and 2.995: a ramp within the tolerance.
  constexpr std::array<double, 7> delays{0.0, 0.03125, 0.0152, 0.0437, 0.07, 0.005, 0.0234};
  for (std::size_t mtu = 0; mtu < n_mtu; ++mtu) {
    for (std::size_t kind = 0; kind < n_parameter_kind; ++kind)
      r.parameters[kind * n_mtu + mtu] = soleus[kind];
    r.parameter(ParameterKind::em_delay, mtu) = delays[mtu % delays.size()];
    r.parameter(ParameterKind::c1, mtu) = -0.5 - 0.04 * static_cast<double>(mtu % 10);
    r.parameter(ParameterKind::strength_coefficient, mtu) = 1.0 + 0.1 * static_cast<double>(mtu);
  }
  for (std::size_t k = 0; k < n_step; ++k) {
    r.time.push_back(static_cast<double>(k) / rate);
    for (std::size_t mtu = 0; mtu < n_mtu; ++mtu) {
      const double phase = 0.05 * static_cast<double>(k) + static_cast<double>(mtu);
      r.mtu_length.push_back(0.3 + 0.003 * std::sin(phase));
      r.mtu_velocity.push_back(
          k == 0 ? 0.0 : (r.mtu_length.back() - r.mtu_length[(k - 1) * n_mtu + mtu]) * rate);
    }
    for (std::size_t dof = 0; dof < n_dof; ++dof)
      for (std::size_t mtu = 0; mtu < n_mtu; ++mtu)
        // Not every MTU acts on the second.
        r.moment_arm.push_back(dof == 1 && mtu % 2 == 1 ? 0.0
                                                        : 0.03 + 0.001 * static_cast<double>(k));
  }
  for (std::size_t n = 0; n < n_early + n_step; ++n)
    for (std::size_t mtu = 0; mtu < n_mtu; ++mtu)
      r.excitation.push_back(0.3 + 0.15 * std::sin(0.2 * static_cast<double>(n + 2 * mtu)));
  return r;
}

StreamSetup setup_of(const Recording& r, TendonModel tendon, FilterStart start) {
  StreamSetup setup{.n_mtu = r.n_mtu,
                    .parameters = r.parameters,
                    .mtus_of_dof = std::vector<std::vector<std::size_t>>(n_dof),
                    .rate = rate,
                    .longest_delay = 0.1,
                    .simulation = {tendon, start}};
  for (std::size_t mtu = 0; mtu < r.n_mtu; ++mtu) {
    setup.mtus_of_dof[0].push_back(mtu);
    if (mtu % 2 == 0) setup.mtus_of_dof[1].push_back(mtu);
  }
  return setup;
}

std::shared_ptr<const CurveTables> tables() {
  return std::make_shared<const CurveTables>(manual_curves());
}

Stream stream_of(const Recording& r, TendonModel tendon = TendonModel::rosenbrock,
                 FilterStart start = FilterStart::ceinms) {
  return {*backends().front(), tables(), setup_of(r, tendon, start)};
}

void run_in(Stream& stream, const Recording& r) {
  for (std::size_t n = 0; n < r.n_early; ++n) stream.run_in(r.excitation_at(n));
}
void step(Stream& stream, const Recording& r, std::size_t k) {
  stream.step(r.excitation_at(r.n_early + k), r.length_at(k), r.arm_at(k));
}
Vector forces(const Stream& stream) {
  return {stream.mtu_force().begin(), stream.mtu_force().end()};
}

/// What kernel::simulate_trial makes of the whole recording.
struct Expected {
  Vector activation, fibre_length, fibre_velocity, pennation_angle, tendon_strain, mtu_force,
      joint_moment;
};
Expected simulated(const Recording& r, kernel::SimulationOptions options) {
  const Vector table(n_step * r.n_mtu);
  Expected e{table, table, table, table, table, table, Vector(n_step * n_dof)};
  kernel::simulate_trial(manual_curves(), r.parameters.data(),
                         {.n_step = n_step,
                          .n_row = r.n_early + n_step,
                          .n_mtu = r.n_mtu,
                          .n_dof = n_dof,
                          .time = r.time.data(),
                          .mtu_length = r.mtu_length.data(),
                          .mtu_velocity = r.mtu_velocity.data(),
                          .moment_arm = r.moment_arm.data(),
                          .excitation = r.excitation.data(),
                          .excitation_start = -static_cast<double>(r.n_early) / rate,
                          .excitation_rate = rate},
                         options,
                         {.activation = e.activation.data(),
                          .fibre_length = e.fibre_length.data(),
                          .fibre_velocity = e.fibre_velocity.data(),
                          .pennation_angle = e.pennation_angle.data(),
                          .tendon_strain = e.tendon_strain.data(),
                          .mtu_force = e.mtu_force.data(),
                          .joint_moment = e.joint_moment.data()});
  return e;
}

void check_row(std::span<const double> actual, const Vector& table, std::size_t k, double scale) {
  for (std::size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(i);
    CHECK(actual[i] / scale == near(table[k * actual.size() + i] / scale, 1e-12));
  }
}

TEST_CASE("stepper: a state that is taken away and brought back changes nothing") {
  using Stepper = kernel::MtuStepper<double, double, kernel::PiecewiseCubic>;
  const auto curves = manual_curves();
  const kernel::Mtu<double> mtu(plain_parameters(soleus));
  Stepper whole(curves, mtu, 0.0);
  kernel::MtuState<double> state{};
  for (int k = 0; k < 30; ++k) {
    const double excitation = 0.4 + 0.3 * std::sin(0.3 * k);
    const double length = 0.297 + 0.006 * std::sin(0.1 * k);
    Stepper part(curves, mtu, state);
    const auto next = [&](Stepper& stepper) {
      if (k == 2) stepper.restart_filter_where(true);
      stepper.sample(excitation);
      return k == 0 ? stepper.start(length) : stepper.advance(length, 1.0 / rate).result;
    };
    const auto expected = next(whole);
    const auto actual = next(part);
    CHECK(actual.mtu_force == expected.mtu_force);
    CHECK(actual.state.fibre_length == expected.state.fibre_length);
    CHECK(actual.state.activation == expected.state.activation);
    state = part.state();
  }
}

TEST_CASE("stream: equals the simulation of the whole trial") {
  for (const std::size_t n_mtu : {1U, 8U, 13U}) {
    for (const std::size_t n_early : {0U, 1U, 5U, 20U}) {
      const Recording r = recording(n_mtu, n_early);
      for (const TendonModel tendon : {TendonModel::stiff, TendonModel::rosenbrock}) {
        for (const FilterStart start : {FilterStart::zero, FilterStart::ceinms}) {
          const Expected expected = simulated(r, {tendon, start});
          for (const Backend* backend : backends()) {
            INFO(backend->name);
            CAPTURE(n_mtu);
            CAPTURE(n_early);
            Stream stream(*backend, tables(), setup_of(r, tendon, start));
            run_in(stream, r);
            for (std::size_t k = 0; k < n_step; ++k) {
              CAPTURE(k);
              step(stream, r, k);
              check_row(stream.activation(), expected.activation, k, 1.0);
              check_row(stream.fibre_length(), expected.fibre_length, k, 0.05);
              check_row(stream.fibre_velocity(), expected.fibre_velocity, k, 0.5);
              check_row(stream.tendon_strain(), expected.tendon_strain, k, 0.05);
              check_row(stream.mtu_force(), expected.mtu_force, k, 4200.0);
              check_row(stream.joint_moment(), expected.joint_moment, k, 200.0);
            }
            CHECK(stream.n_step() == n_step);
          }
        }
      }
    }
  }
}

TEST_CASE("stream: nothing is allocated after set-up") {
  Recording r = recording(46, 5);
  for (const TendonModel tendon : {TendonModel::stiff, TendonModel::rosenbrock}) {
    Stream stream = stream_of(r, tendon);
    const std::size_t before = n_allocation;
    run_in(stream, r);
    for (std::size_t k = 0; k < n_step; ++k) {
      step(stream, r, k);
      if (k == 30) {
        for (std::size_t mtu = 0; mtu < 46; ++mtu) r.parameter(ParameterKind::em_delay, mtu) = 0.1;
        stream.set_parameters(r.parameters.data());
      }
    }
    stream.reset();
    CHECK(n_allocation == before);
  }
  const std::size_t before = n_allocation;
  const Stream another = stream_of(r);
  CHECK(n_allocation > before);  // the counter counts
}

/// Paths of so many MTUs over two coordinates, both of them DOFs.
PathSet paths_of(std::size_t n_mtu) {
  PathSetSetup setup{.n_coordinate = 2, .paths = {}, .dofs = {1, 0}};
  for (std::size_t mtu = 0; mtu < n_mtu; ++mtu) {
    const double more = 0.001 * static_cast<double>(mtu);
    setup.paths.push_back({{0, 1}, 2, {0.3, -0.03 - more, 0.01, 0.02, 0.005, -more}});
  }
  return {*backends().front(), setup};
}

TEST_CASE("stream: from coordinates it equals one from their lengths and moment arms") {
  const Recording r = recording(5, 3);
  const PathSet paths = paths_of(5);
  Stream stream = stream_of(r);
  Stream expected = stream_of(r);
  run_in(stream, r);
  run_in(expected, r);
  Vector length(5), arm(n_dof * 5);
  std::size_t n_different = 0;
  const std::size_t before = n_allocation;
  for (std::size_t k = 0; k < n_step; ++k) {
    const double phase = 0.05 * static_cast<double>(k);
    const std::array<double, 2> q{0.4 * std::sin(phase), 0.3 * std::cos(phase)};
    stream.step(r.excitation_at(r.n_early + k), paths, q.data());
    paths.evaluate(q.data(), length.data(), arm.data());
    expected.step(r.excitation_at(r.n_early + k), length.data(), arm.data());
    n_different += !std::ranges::equal(stream.mtu_force(), expected.mtu_force());
    n_different += !std::ranges::equal(stream.joint_moment(), expected.joint_moment());
  }
  CHECK(n_allocation == before);
  CHECK(n_different == 0);
  const std::array<double, 2> faulty{0.1, nan};
  CHECK_THROWS_AS(stream.step(r.excitation_at(0), paths, faulty.data()), kernel::InputError);
  const std::array<double, 2> q{};
  CHECK_THROWS_AS(stream.step(r.excitation_at(0), paths_of(4), q.data()), kernel::InputError);
  CHECK(stream.n_step() == n_step);
}

TEST_CASE("stream: starts again from a reset as from the beginning") {
  Recording r = recording(5, 3);
  Stream stream = stream_of(r);
  run_in(stream, r);
  std::vector<Vector> first;
  for (std::size_t k = 0; k < n_step; ++k) {
    step(stream, r, k);
    first.push_back(forces(stream));
  }
  stream.reset();
  CHECK(stream.n_step() == 0);
  CHECK(stream.mtu_force()[0] == 0.0);
  run_in(stream, r);
  for (std::size_t k = 0; k < n_step; ++k) {
    step(stream, r, k);
    CHECK(forces(stream) == first[k]);
  }
}

TEST_CASE("stream: new parameters act from the next step on and leave the state alone") {
  Recording r = recording(5, 3);
  Stream same = stream_of(r);
  Stream stronger = stream_of(r);
  Stream slacker = stream_of(r);
  Recording slack = r;
  for (std::size_t mtu = 0; mtu < 5; ++mtu) {
    slack.parameter(ParameterKind::tendon_slack_length, mtu) += 0.004;
    slack.parameter(ParameterKind::em_delay, mtu) += 0.0123;
  }
  Stream slack_throughout = stream_of(slack);
  double apart = 0.0;
  for (std::size_t k = 0; k < n_step; ++k) {
    for (Stream* stream : {&same, &stronger, &slacker, &slack_throughout}) step(*stream, r, k);
    if (k == 20) {
      same.set_parameters(r.parameters.data());
      Recording strong = r;
      for (std::size_t mtu = 0; mtu < 5; ++mtu)
        strong.parameter(ParameterKind::strength_coefficient, mtu) *= 1.5;
      stronger.set_parameters(strong.parameters.data());
      slacker.set_parameters(slack.parameters.data());
      continue;
    }
    for (std::size_t mtu = 0; mtu < 5; ++mtu) {
      CAPTURE(k);
      const double factor = k < 20 ? 1.0 : 1.5;
      CHECK(stronger.mtu_force()[mtu] == near(factor * same.mtu_force()[mtu], 1e-9));
      // The fibre finds its way from where it was, the filter forgets.
      if (k > 45) CHECK(slacker.mtu_force()[mtu] == near(slack_throughout.mtu_force()[mtu], 5.0));
      apart = std::max(apart, std::abs(slacker.mtu_force()[mtu] - same.mtu_force()[mtu]));
    }
  }
  CHECK(apart > 100.0);
}

TEST_CASE("stream: refuses what is not finite and goes on as if it had not come") {
  const Recording r = recording(5, 3);
  Stream stream = stream_of(r);
  Stream undisturbed = stream_of(r);
  Vector bad(2 * 5, 0.1);
  bad[4] = nan;
  Vector infinite(2 * 5, 0.1);
  infinite[3] = std::numeric_limits<double>::infinity();
  for (std::size_t k = 0; k < 10; ++k) {
    step(stream, r, k);
    step(undisturbed, r, k);
    CHECK_THROWS_AS(stream.step(bad.data(), r.length_at(k), r.arm_at(k)), std::invalid_argument);
    CHECK_THROWS_AS(stream.step(r.excitation_at(k), infinite.data(), r.arm_at(k)),
                    std::invalid_argument);
    CHECK_THROWS_AS(stream.step(r.excitation_at(k), r.length_at(k), bad.data()),
                    std::invalid_argument);
    CHECK(forces(stream) == forces(undisturbed));
  }
  CHECK(stream.n_step() == 10);
  CHECK_THROWS_AS(stream.run_in(r.excitation_at(0)), std::logic_error);
}

TEST_CASE("stream: refuses delays that it has no memory for, and bad set-ups") {
  Recording r = recording(5, 3);
  Stream stream = stream_of(r);
  for (const double delay : {-0.001, 0.1001, nan}) {
    CAPTURE(delay);
    Recording other = r;
    other.parameter(ParameterKind::em_delay, 2) = delay;
    CHECK_THROWS_AS(stream.set_parameters(other.parameters.data()), std::invalid_argument);
    CHECK_THROWS_AS(stream_of(other), std::invalid_argument);
  }
  r.parameter(ParameterKind::em_delay, 2) = 0.1;
  CHECK_NOTHROW(stream.set_parameters(r.parameters.data()));
  for (const double bad_rate : {0.0, -1.0, nan, 1e-310, 0.9e-3, 1.1e6, 1e18, 1e308}) {
    StreamSetup setup = setup_of(r, TendonModel::rosenbrock, FilterStart::zero);
    setup.rate = bad_rate;
    CHECK_THROWS_AS(Stream(*backends().front(), tables(), setup), std::invalid_argument);
  }
  for (const double bad_delay : {-1.0, nan, 1e5, 1.4e15, 9e16, 1e200, 1e308}) {
    StreamSetup setup = setup_of(r, TendonModel::rosenbrock, FilterStart::zero);
    setup.longest_delay = bad_delay;
    CHECK_THROWS_AS(Stream(*backends().front(), tables(), setup), std::invalid_argument);
  }
  StreamSetup setup = setup_of(r, TendonModel::rosenbrock, FilterStart::zero);
  setup.mtus_of_dof[0].push_back(5);
  CHECK_THROWS_AS(Stream(*backends().front(), tables(), setup), std::invalid_argument);
}

TEST_CASE("stream: excitations beyond 0 and 1 are clamped and counted") {
  const Recording r = recording(2, 0);
  Stream stream = stream_of(r);
  Stream clamped = stream_of(r);
  const Vector outside{-0.2, 1.7};
  const Vector inside{0.0, 1.0};
  for (std::size_t k = 0; k < 10; ++k) {
    stream.step(outside.data(), r.length_at(k), r.arm_at(k));
    clamped.step(inside.data(), r.length_at(k), r.arm_at(k));
    CHECK(forces(stream) == forces(clamped));
  }
  CHECK(stream.n_clamped() == 20);
  CHECK(clamped.n_clamped() == 0);
}

}  // namespace
}  // namespace ceinms_torch::engine
