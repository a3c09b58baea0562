/// The fused engine, on every instruction set of this build and machine: its numbers are those of
/// simulate_mtu, its reverse sweep and sensitivities are derivatives, its threads share the work.
#include "ceinms_torch/engine/simulation.hpp"
#include "helpers.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace ceinms_torch::engine {
namespace {

using namespace kernel::testing;
using kernel::FilterStart;
using kernel::n_parameter_kind;
using kernel::parameter_names;
using kernel::ParameterKind;
using kernel::SimulationOptions;
using kernel::TendonModel;
using Vector = std::vector<double>;

constexpr std::size_t n_mtu = 5;

/// A trial with its own memory.
struct Trial {
  Vector time, mtu_length, mtu_velocity, excitation;
  double start = -0.0437;
  double rate = 200.0;

  kernel::TrialInput input() const {
    return {.n_step = time.size(),
            .n_row = excitation.size() / n_mtu,
            .n_mtu = n_mtu,
            .time = time.data(),
            .mtu_length = mtu_length.data(),
            .mtu_velocity = mtu_velocity.data(),
            .excitation = excitation.data(),
            .excitation_start = start,
            .excitation_rate = rate};
  }
};

/// Trials of unequal length and five MTUs, so that blocks are padded and partly empty.
struct Case {
  std::vector<Trial> trials;
  Vector parameters;  ///< (n_parameter_kind, n_mtu)
  kernel::MtuCurves<kernel::PiecewiseCubic> curves = manual_curves();

  Case() : Case(std::vector<std::size_t>{17, 1, 23}) {}
  explicit Case(const std::vector<std::size_t>& lengths) : parameters(n_parameter_kind * n_mtu) {
    Random random;
    for (std::size_t kind = 0; kind < n_parameter_kind; ++kind)
      for (std::size_t mtu = 0; mtu < n_mtu; ++mtu)
        parameters[kind * n_mtu + mtu] = soleus[kind] * random.between(0.9, 1.1);
    for (const std::size_t n_step : lengths) {
      Trial trial;
      const double phase = random.between(0.0, 6.0);
      for (std::size_t k = 0; k < n_step; ++k) {
        trial.time.push_back(0.01 * static_cast<double>(k));
        for (std::size_t mtu = 0; mtu < n_mtu; ++mtu) {
          const double angle = 9.0 * trial.time.back() + phase + static_cast<double>(mtu);
          const double slack =
              parameters[index_of(ParameterKind::tendon_slack_length) * n_mtu + mtu];
          trial.mtu_length.push_back(slack + 0.048 + 0.004 * std::sin(angle));
          trial.mtu_velocity.push_back(0.036 * std::cos(angle));
        }
      }
      for (std::size_t row = 0; row < (n_step + 12) * 2; ++row)
        for (std::size_t mtu = 0; mtu < n_mtu; ++mtu)
          trial.excitation.push_back(random.between(0.05, 0.9));
      trials.push_back(std::move(trial));
    }
  }

  Workspace workspace(const Backend& backend, SimulationOptions options,
                      std::size_t n_thread = 1) const {
    std::vector<kernel::TrialInput> inputs;
    for (const Trial& trial : trials) inputs.push_back(trial.input());
    return {LaneLayout(backend, inputs), std::make_shared<const CurveTables>(curves), options,
            n_thread};
  }
};

/// The columns of a lane.
constexpr double* LaneTrace::*columns[] = {&LaneTrace::activation, &LaneTrace::fibre_length,
                                           &LaneTrace::fibre_velocity, &LaneTrace::tendon_strain,
                                           &LaneTrace::mtu_force};
/// What they are judged against.
constexpr double sizes[] = {1.0, 0.05, 5.0, 1.0, 4000.0};

/// What simulate_mtu makes of a lane: the same columns, (n_step) each.
std::vector<Vector> reference(const Case& data, const Trial& trial, std::size_t mtu,
                              SimulationOptions options) {
  const std::size_t n_step = trial.time.size();
  std::vector<Vector> result(5, Vector(n_step));
  Vector angle(n_step);
  const kernel::TrialInput in = trial.input();
  kernel::simulate_mtu(
      data.curves, kernel::Mtu<double>(kernel::MtuParameters<double>::from([&](ParameterKind kind) {
        return data.parameters[index_of(kind) * n_mtu + mtu];
      })),
      kernel::MtuInput{.n_step = n_step,
                       .n_row = in.n_row,
                       .time = in.time,
                       .mtu_length = {in.mtu_length + mtu, n_mtu},
                       .mtu_velocity = {in.mtu_velocity + mtu, n_mtu},
                       .excitation = {in.excitation + mtu, n_mtu},
                       .excitation_start = in.excitation_start,
                       .excitation_rate = in.excitation_rate},
      options,
      kernel::MtuOutput<double>{.activation = {result[0].data()},
                                .fibre_length = {result[1].data()},
                                .fibre_velocity = {result[2].data()},
                                .pennation_angle = {angle.data()},
                                .tendon_strain = {result[3].data()},
                                .mtu_force = {result[4].data()}});
  return result;
}

/// Random weights that make a scalar of all columns of all lanes, and that scalar.
struct Functional {
  std::vector<Vector> weights;  ///< by lane (trial, then MTU): (5, n_step), over `sizes`

  explicit Functional(const Case& data) {
    Random random;
    for (const Trial& trial : data.trials)
      for (std::size_t mtu = 0; mtu < n_mtu; ++mtu) {
        Vector one;
        for (const double size : sizes)
          for (std::size_t k = 0; k < trial.time.size(); ++k)
            one.push_back(random.between(0.5, 1.5) / size);
        weights.push_back(std::move(one));
      }
  }

  double value(const Case& data, SimulationOptions options) const {
    double sum = 0.0;
    for (std::size_t t = 0; t < data.trials.size(); ++t)
      for (std::size_t mtu = 0; mtu < n_mtu; ++mtu) {
        const std::vector<Vector> lane = reference(data, data.trials[t], mtu, options);
        const std::size_t n_step = lane[0].size();
        for (std::size_t c = 0; c < lane.size(); ++c)
          for (std::size_t k = 0; k < n_step; ++k)
            sum += weights[t * n_mtu + mtu][c * n_step + k] * lane[c][k];
      }
    return sum;
  }

  /// Gradient (n_parameter_kind, n_mtu) by the reverse sweep.
  Vector gradient(const Case& data, Workspace& workspace) const {
    workspace.forward(data.parameters.data());
    workspace.clear_seeds();
    const std::size_t width = workspace.layout().backend().width;
    for (std::size_t t = 0; t < data.trials.size(); ++t)
      for (std::size_t mtu = 0; mtu < n_mtu; ++mtu) {
        const Lane& lane = workspace.layout().lane(t, mtu);
        const std::size_t n_step = data.trials[t].time.size();
        double* seeds[] = {
            workspace.seed_activation(lane.block), workspace.seed_fibre_length(lane.block),
            workspace.seed_fibre_velocity(lane.block), workspace.seed_tendon_strain(lane.block),
            workspace.seed_force(lane.block)};
        for (std::size_t c = 0; c < 5; ++c)
          for (std::size_t k = 0; k < n_step; ++k)
            seeds[c][k * width + lane.place] = weights[t * n_mtu + mtu][c * n_step + k];
      }
    Vector result(n_parameter_kind * n_mtu);
    workspace.reverse(result.data());
    return result;
  }
};

template <class Check>
void for_each_backend(const Check& check) {
  REQUIRE(!backends().empty());
  for (const Backend* backend : backends())
    for (const TendonModel tendon : {TendonModel::stiff, TendonModel::rosenbrock})
      for (const FilterStart start : {FilterStart::zero, FilterStart::ceinms}) {
        const std::string name(backend->name);
        CAPTURE(name);
        CAPTURE(tendon == TendonModel::stiff);
        CAPTURE(start == FilterStart::zero);
        check(*backend, SimulationOptions{tendon, start});
      }
}

void check_against_simulate_mtu(const Case& data) {
  for_each_backend([&](const Backend& backend, SimulationOptions options) {
    Workspace workspace = data.workspace(backend, options, 2);
    workspace.forward(data.parameters.data());
    for (std::size_t t = 0; t < data.trials.size(); ++t)
      for (std::size_t mtu = 0; mtu < n_mtu; ++mtu) {
        const Lane& lane = workspace.layout().lane(t, mtu);
        const LaneTrace trace = workspace.trace(lane.block);
        const std::vector<Vector> expected = reference(data, data.trials[t], mtu, options);
        for (std::size_t c = 0; c < 5; ++c)
          for (std::size_t k = 0; k < expected[c].size(); ++k) {
            const double got = (trace.*columns[c])[k * backend.width + lane.place];
            REQUIRE(std::abs(got - expected[c][k]) <= 1e-12 * sizes[c]);
          }
      }
  });
}

TEST_CASE("lanes simulate what simulate_mtu simulates") {
  check_against_simulate_mtu({});
}

TEST_CASE("curves go on beyond their ends as those of simulate_mtu do") {
  // Even tables are looked up by calculation, uneven ones by counting. The fibre is up to three
  // times its optimal length, or nearly gone, and fast.
  for (const bool is_even : {true, false})
    for (const double stretch : {-0.04, 0.05, 0.1}) {
      Case data;
      if (is_even) data.curves = kernel::default_curves();
      for (Trial& trial : data.trials) {
        for (double& length : trial.mtu_length) length += stretch;
        for (double& velocity : trial.mtu_velocity) velocity *= 30.0;
      }
      CAPTURE(is_even);
      CAPTURE(stretch);
      check_against_simulate_mtu(data);
    }
}

TEST_CASE("the reverse sweep gives the derivatives by all parameters") {
  const Case data;
  const Functional functional(data);
  for_each_backend([&](const Backend& backend, SimulationOptions options) {
    Workspace workspace = data.workspace(backend, options);
    const Vector gradient = functional.gradient(data, workspace);
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      Case moved = data;
      const double size = std::abs(soleus[i / n_mtu]);
      const double expected = central_difference(
          [&](double x) {
            moved.parameters[i] = x;
            return functional.value(moved, options);
          },
          data.parameters[i], 1e-5 * size);
      const std::string kind(parameter_names[i / n_mtu]);
      CAPTURE(kind);
      // The value is some 100; its rounding over the step is 1e-9, the curves' pieces are cubic.
      REQUIRE(std::abs(gradient[i] - expected) * size <= 1e-6 * (1.0 + std::abs(expected) * size));
    }
  });
}

TEST_CASE("the reverse sweep gives the derivatives by the excitations") {
  const Case data;
  const Functional functional(data);
  for_each_backend([&](const Backend& backend, SimulationOptions options) {
    Workspace workspace = data.workspace(backend, options);
    functional.gradient(data, workspace);
    const std::size_t t = 2;
    const std::size_t mtu = 3;
    const Lane& lane = workspace.layout().lane(t, mtu);
    const std::size_t n_row = workspace.layout().n_row(t);
    Vector by_row(n_row);
    workspace.layout().add_to_rows(lane, workspace.by_sample(lane.block), by_row.data(), 1);
    for (std::size_t row = 0; row < n_row; ++row) {
      Case moved = data;
      double& excitation = moved.trials[t].excitation[row * n_mtu + mtu];
      const double at = excitation;
      const double expected = central_difference(
          [&](double x) {
            excitation = x;
            return functional.value(moved, options);
          },
          at, 1e-5);
      REQUIRE(std::abs(by_row[row] - expected) <= 1e-6 * (1.0 + std::abs(expected)));
    }
  });
}

/// All that sensitivities can be asked for, the last first.
std::vector<ParameterKind> shape_kinds() {
  std::vector<ParameterKind> kinds;
  for (std::size_t i = n_parameter_kind; i-- > 0;)
    if (const auto kind = static_cast<ParameterKind>(i); !only_scales(kind)) kinds.push_back(kind);
  REQUIRE(kinds.size() == max_sensitivities);
  return kinds;
}

TEST_CASE("sensitivities and the reverse sweep are one derivative") {
  // The last trial goes on in a second window.
  const Case data(std::vector<std::size_t>{17, 1, 256 + 9});
  using Kind = ParameterKind;
  const std::vector<std::vector<Kind>> choices{
      {Kind::tendon_slack_length},
      {Kind::damping, Kind::strength_coefficient, Kind::max_isometric_force},
      {Kind::c1, Kind::c2, Kind::shape_factor, Kind::optimal_fibre_length, Kind::pennation_angle},
      {Kind::percentage_change, Kind::damping, Kind::max_contraction_velocity, Kind::c2, Kind::c1,
       Kind::tendon_slack_length},
      {Kind::em_delay},
      shape_kinds()};
  for_each_backend([&](const Backend& backend, SimulationOptions options) {
    Workspace workspace = data.workspace(backend, options);
    Functional functional(data);
    // Sensitivities are of these three columns.
    for (Vector& one : functional.weights) {
      const std::size_t n_step = one.size() / 5;
      for (const std::size_t c : {std::size_t{0}, std::size_t{2}})
        std::fill_n(one.begin() + static_cast<std::ptrdiff_t>(c * n_step), n_step, 0.0);
    }
    const Vector expected = functional.gradient(data, workspace);
    for (const std::vector<Kind>& kinds : choices) {
      Vector got(n_parameter_kind * n_mtu);
      const auto add = [&](std::size_t block, const kernel::StepRange& steps) {
        const LaneSensitivities by = workspace.sensitivities(block);
        for (const Lane& lane : workspace.layout().lanes_of(block)) {
          const Vector& weights = functional.weights[lane.trial * n_mtu + lane.mtu];
          const std::size_t n_step = data.trials[lane.trial].time.size();
          for (std::size_t i = 0; i < kinds.size(); ++i)
            for (std::size_t k = steps.first; k < std::min(steps.end, n_step); ++k) {
              const std::size_t at =
                  ((k - steps.first) * kinds.size() + i) * backend.width + lane.place;
              got[index_of(kinds[i]) * n_mtu + lane.mtu] +=
                  weights[n_step + k] * by.fibre_length[at] +
                  weights[3 * n_step + k] * by.tendon_strain[at] +
                  weights[4 * n_step + k] * by.mtu_force[at];
            }
        }
      };
      std::vector<std::size_t> starts;
      workspace.sensitivities(data.parameters.data(), kinds, add,
                              [&](const auto& steps) { starts.push_back(steps.first); });
      REQUIRE(starts == std::vector<std::size_t>{0, workspace.window()});
      for (const Kind kind : kinds)
        for (std::size_t mtu = 0; mtu < n_mtu; ++mtu) {
          const std::size_t i = index_of(kind) * n_mtu + mtu;
          const std::string parameter(parameter_names[index_of(kind)]);
          CAPTURE(parameter);
          REQUIRE(got[i] == near(expected[i], 1e-10));
        }
    }
  });
}

TEST_CASE("no more kinds are differentiated by than there is room for") {
  const Case data;
  for_each_backend([&](const Backend& backend, SimulationOptions options) {
    Workspace workspace = data.workspace(backend, options);
    const std::vector<ParameterKind> kinds(max_sensitivities + 1, ParameterKind::c1);
    REQUIRE_THROWS_AS(
        workspace.sensitivities(
            data.parameters.data(), kinds, [](std::size_t, const auto&) {}, [](const auto&) {}),
        std::invalid_argument);
  });
}

TEST_CASE("other excitations can be loaded, and nothing is left of those before") {
  const Case data;
  Case other = data;
  for (double& e : other.trials[0].excitation) e *= 0.5;
  const Case* const order[] = {&other, &data, &other};
  for_each_backend([&](const Backend& backend, SimulationOptions options) {
    Workspace workspace = data.workspace(backend, options);
    Workspace fresh = other.workspace(backend, options);
    workspace.forward(data.parameters.data());
    for (const Case* now : order)
      for (std::size_t t = 0; t < data.trials.size(); ++t) {
        for (std::size_t mtu = 0; mtu < n_mtu; ++mtu)
          workspace.load_excitation(t, mtu, now->trials[t].excitation.data() + mtu, n_mtu);
        workspace.forward(data.parameters.data());
      }
    fresh.forward(data.parameters.data());
    for (std::size_t block = 0; block < fresh.layout().n_block(); ++block) {
      const std::size_t size = fresh.layout().block(block).n_step * backend.width;
      for (double* LaneTrace::*column : columns)
        REQUIRE(std::equal(workspace.trace(block).*column, workspace.trace(block).*column + size,
                           fresh.trace(block).*column));
    }
  });
}

}  // namespace
}  // namespace ceinms_torch::engine
