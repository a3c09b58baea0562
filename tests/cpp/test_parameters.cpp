/// Parameters of all kinds at once: nothing is written past its place, and all derivatives agree.
#include "ceinms_torch/calibration/problem.hpp"
#include "helpers.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
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
constexpr std::size_t n_step = 21;
constexpr std::size_t n_row = 90;

/// One trial, on one DOF, of three MTUs of which every parameter is a component of its own. The
/// ranges of the penalties are so narrow that all of them count.
struct Case {
  Vector start, time, length, velocity, arm, excitation, moment;

  Case() {
    Random random;
    for (std::size_t i = 0; i < n_parameter_kind * n_mtu; ++i)
      start.push_back(soleus[i / n_mtu] * random.between(0.95, 1.05));
    for (std::size_t k = 0; k < n_step; ++k) {
      time.push_back(0.01 * static_cast<double>(k));
      moment.push_back(random.between(20.0, 90.0));
      for (std::size_t mtu = 0; mtu < n_mtu; ++mtu) {
        const double angle = 9.0 * time.back() + static_cast<double>(mtu);
        const std::size_t slack = index_of(ParameterKind::tendon_slack_length) * n_mtu + mtu;
        length.push_back(start[slack] + 0.048 + 0.004 * std::sin(angle));
        velocity.push_back(0.036 * std::cos(angle));
        arm.push_back(random.between(0.03, 0.05));
      }
    }
    for (std::size_t i = 0; i < n_row * n_mtu; ++i) excitation.push_back(random.between(0.05, 0.9));
  }

  Problem problem(const engine::Backend& backend, TendonModel tendon) const {
    ProblemData data{.map = {.start = start, .lower = {}, .upper = {}, .slot = {}, .component = {}},
                     .measured = {{moment, {400.0}}},
                     .dofs = {0},
                     .objective = {},
                     .simulation = {tendon, kernel::FilterStart::ceinms}};
    std::get<terms::FibreLength>(data.objective.list).penalties = {{{0.99, 1.0}, 100.0}};
    std::get<terms::TendonStrain>(data.objective.list).penalties = {{{0.0, 0.01}, 100.0}};
    std::get<terms::PeakForce>(data.objective.list).weight = 0.4;
    for (std::size_t i = 0; i < start.size(); ++i) {
      data.map.slot.push_back(i);
      data.map.component.push_back(i);
      data.map.lower.push_back(std::min(0.9 * start[i], 1.1 * start[i]));
      data.map.upper.push_back(std::max(0.9 * start[i], 1.1 * start[i]));
    }
    const kernel::TrialInput trial{.n_step = n_step,
                                   .n_row = n_row,
                                   .n_mtu = n_mtu,
                                   .n_dof = 1,
                                   .time = time.data(),
                                   .mtu_length = length.data(),
                                   .mtu_velocity = velocity.data(),
                                   .moment_arm = arm.data(),
                                   .excitation = excitation.data(),
                                   .excitation_start = -0.041,
                                   .excitation_rate = 200.0};
    return {backend,
            {trial},
            std::make_shared<const engine::CurveTables>(manual_curves()),
            std::move(data),
            1};
  }
};

TEST_CASE("all kinds at once: gradient, residuals and normal equations are one derivative") {
  const Case data;
  for (const engine::Backend* backend : engine::backends())
    for (const TendonModel tendon : {TendonModel::stiff, TendonModel::rosenbrock}) {
      Problem problem = data.problem(*backend, tendon);
      const std::size_t n = problem.n_component();
      REQUIRE(n == n_parameter_kind * n_mtu);
      const Vector x(n, 0.5);
      Vector gradient(n), again(n), matrix(n * n), residual, jacobian;
      problem.gradient(x.data(), gradient.data());
      problem.residuals(x.data(), residual, jacobian);
      problem.normal_equations(x.data(), again.data(), matrix.data());
      REQUIRE(jacobian.size() == residual.size() * n);
      for (std::size_t i = 0; i < n; ++i) {
        const std::string kind(kernel::parameter_names[i / n_mtu]);
        CAPTURE(kind);
        double by_residuals = 0.0;
        double square = 0.0;
        for (std::size_t k = 0; k < residual.size(); ++k) {
          by_residuals += 2.0 * residual[k] * jacobian[k * n + i];
          square += 2.0 * jacobian[k * n + i] * jacobian[k * n + i];
        }
        // Sums of a hundred products in other orders.
        CHECK(by_residuals == near(gradient[i], 1e-10));
        CHECK(again[i] == near(gradient[i], 1e-10));
        CHECK(matrix[i * n + i] == near(square, 1e-10));
        const double slope = central_difference(
            [&](double s) {
              Vector moved = x;
              moved[i] = s;
              return problem.evaluate(moved.data()).objective;
            },
            x[i], 1e-4);
        // A step of 2e-5 of the value; penalties have kinks in their second derivatives, the
        // curves in their third.
        CHECK(gradient[i] == near(slope, 1e-5));
      }
    }
}

}  // namespace
}  // namespace ceinms_torch::calibration
