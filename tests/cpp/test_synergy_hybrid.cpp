/// The synergy-hybrid problem: its gradient is the derivative of its objective.

#include "ceinms_torch/calibration/synergy_problem.hpp"
#include "helpers.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

namespace ceinms_torch::calibration {
namespace {

using namespace kernel::testing;
using kernel::n_parameter_kind;
using kernel::ParameterKind;
using kernel::TendonModel;
using Vector = std::vector<double>;

constexpr std::size_t n_mtu = 3;
constexpr std::size_t n_synergy = 2;
constexpr std::size_t n_row = 41;
constexpr std::size_t rows_per_node = 3;
constexpr std::size_t n_node = (n_row - 2) / rows_per_node + 2;

/// One DOF, of which every MTU but the first is driven by synergies, in two trials.
struct Case {
  Vector start = Vector(n_parameter_kind * n_mtu);
  std::vector<Vector> time, length, velocity, arm, excitation, moment;

  Case() {
    Random random;
    for (std::size_t i = 0; i < start.size(); ++i)
      start[i] = soleus[i / n_mtu] * random.between(0.95, 1.05);
    for (const std::size_t n_step : {std::size_t{15}, std::size_t{11}}) {
      Vector t, l, v, a, m;
      for (std::size_t k = 0; k < n_step; ++k) {
        t.push_back(0.01 * static_cast<double>(k));
        m.push_back(random.between(20.0, 90.0));
        for (std::size_t mtu = 0; mtu < n_mtu; ++mtu) {
          const double angle = 9.0 * t.back() + static_cast<double>(mtu + n_step);
          const std::size_t slack = index_of(ParameterKind::tendon_slack_length) * n_mtu + mtu;
          l.push_back(start[slack] + 0.048 + 0.004 * std::sin(angle));
          v.push_back(0.036 * std::cos(angle));
          a.push_back(random.between(0.03, 0.05));
        }
      }
      Vector e(n_row * n_mtu);
      for (double& one : e) one = random.between(0.05, 0.9);
      time.push_back(std::move(t));
      length.push_back(std::move(l));
      velocity.push_back(std::move(v));
      arm.push_back(std::move(a));
      moment.push_back(std::move(m));
      excitation.push_back(std::move(e));
    }
  }

  std::shared_ptr<Problem> problem(TendonModel tendon, std::size_t n_thread) const {
    ProblemData data{.map = {.start = start, .lower = {}, .upper = {}, .slot = {}, .component = {}},
                     .measured = {},
                     .dofs = {0},
                     .objective = {},
                     .simulation = {tendon, kernel::FilterStart::ceinms}};
    std::get<terms::FibreLength>(data.objective.list).penalties = {{{0.5, 1.5}, 100.0}};
    std::get<terms::TendonStrain>(data.objective.list).penalties = {{{0.0, 0.5}, 100.0}};
    std::get<terms::PeakForce>(data.objective.list).weight = 0.4;
    for (const ParameterKind kind :
         {ParameterKind::shape_factor, ParameterKind::optimal_fibre_length})
      for (std::size_t mtu = 0; mtu < n_mtu; ++mtu) {
        const double value = start[index_of(kind) * n_mtu + mtu];
        data.map.slot.push_back(index_of(kind) * n_mtu + mtu);
        data.map.component.push_back(data.map.lower.size());
        data.map.lower.push_back(std::min(0.9 * value, 1.1 * value));
        data.map.upper.push_back(std::max(0.9 * value, 1.1 * value));
      }
    data.linear_terms.push_back(
        {"parameter_prior", 2 * n_mtu, Vector(2 * 2 * n_mtu, 0.7), {1.3, -0.2}});
    std::vector<kernel::TrialInput> trials;
    for (std::size_t t = 0; t < time.size(); ++t) {
      trials.push_back({.n_step = time[t].size(),
                        .n_row = n_row,
                        .n_mtu = n_mtu,
                        .n_dof = 1,
                        .time = time[t].data(),
                        .mtu_length = length[t].data(),
                        .mtu_velocity = velocity[t].data(),
                        .moment_arm = arm[t].data(),
                        .excitation = excitation[t].data(),
                        .excitation_start = -0.041,
                        .excitation_rate = 200.0});
      data.measured.push_back({moment[t], {400.0}});
    }
    return std::make_shared<Problem>(*engine::backends().front(), trials,
                                     std::make_shared<const engine::CurveTables>(manual_curves()),
                                     std::move(data), n_thread);
  }

  SynergyProblem hybrid(TendonModel tendon, bool shared, std::size_t n_thread = 1) const {
    SynergyData data{.n_synergy = n_synergy,
                     .n_channel = 1,
                     .synthesised = {1, 2},
                     .tied = {1},
                     .trials = {},
                     .shared_weightings = shared,
                     .exact_bounds = false,
                     .objective = {}};
    std::get<terms::Excitation>(data.objective.list).weight = 1000.0;
    std::get<terms::Synthesised>(data.objective.list).weight = 1.0;
    std::get<terms::Tie>(data.objective.list).weight = 10.0;
    std::get<terms::Tie>(data.objective.list).amplitude = 0.3;
    std::get<terms::Bounds>(data.objective.list).weight = 100.0;
    std::get<terms::Smoothness>(data.objective.list).weight = 0.01;
    for (const Vector& rows : excitation) {
      RecordedChannels recorded{n_row, n_node, rows_per_node, 1.0 / 200.0, {}, {}};
      for (std::size_t node = 0; node < n_node; ++node)
        recorded.excitation.push_back(rows[std::min(node * rows_per_node, n_row - 1) * n_mtu]);
      for (const double one : recorded.excitation) recorded.expected.push_back(0.5 * one);
      data.trials.push_back(std::move(recorded));
    }
    return {problem(tendon, n_thread), std::move(data)};
  }
};

TEST_CASE("hybrid: the gradient is the derivative by parameters, weightings and primitives") {
  const Case data;
  for (const TendonModel tendon : {TendonModel::stiff, TendonModel::rosenbrock})
    for (const bool shared : {true, false}) {
      SynergyProblem problem = data.hybrid(tendon, shared);
      const std::size_t n = problem.n_component();
      REQUIRE(problem.n_boxed() == 2 * n_mtu);
      REQUIRE(n == 2 * n_mtu + (shared ? 1 : 2) * 3 * n_synergy + 2 * n_synergy * n_node);
      Random random;
      Vector x(n);
      for (double& one : x) one = random.between(0.1, 0.6);
      x.back() = 1.2;         // beyond the bounds, where a penalty acts
      x[2 * n_mtu] = -0.004;  // of a tracked excitation
      Vector gradient(n);
      Vector other(n);
      const double scale = problem.gradient(x.data(), gradient.data()).objective;
      const Vector terms = problem.gradient(x.data(), other.data()).terms;
      REQUIRE(gradient == other);
      REQUIRE(terms.size() == problem.term_names().size());
      REQUIRE(terms.back() > 0.0);
      REQUIRE(std::accumulate(terms.begin(), terms.end(), 0.0) == near(scale, 1e-13));
      constexpr double h = 1e-6;
      for (std::size_t i = 0; i < n; ++i) {
        CAPTURE(i);
        const double here = x[i];
        x[i] = here + h;
        const double ahead = problem.gradient(x.data(), other.data()).objective;
        x[i] = here - h;
        const double behind = problem.gradient(x.data(), other.data()).objective;
        x[i] = here;
        // Rounding of the objective over the step.
        REQUIRE(std::abs((ahead - behind) / (2.0 * h) - gradient[i]) <=
                1e-6 * std::abs(gradient[i]) + 1e-8 * scale);
      }
    }
}

TEST_CASE("hybrid: results do not depend on the number of threads") {
  const Case data;
  SynergyProblem one = data.hybrid(TendonModel::rosenbrock, true);
  SynergyProblem two = data.hybrid(TendonModel::rosenbrock, true, 2);
  const Vector x(one.n_component(), 0.4);
  Vector gradient(x.size());
  Vector same(x.size());
  REQUIRE(one.gradient(x.data(), gradient.data()).terms ==
          two.gradient(x.data(), same.data()).terms);
  REQUIRE(gradient == same);
}

}  // namespace
}  // namespace ceinms_torch::calibration
