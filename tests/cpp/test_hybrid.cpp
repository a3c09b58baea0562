/// Excitations searched for by gradients: derivatives of forces, the convex step, whole frames.

#include "ceinms_torch/engine/excitation_problem.hpp"
#include "ceinms_torch/legacy/gradient_search.hpp"
#include "ceinms_torch/legacy/hybrid.hpp"
#include "ceinms_torch/legacy/proximal_step.hpp"
#include "helpers.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

namespace ceinms_torch::legacy {
namespace {

using kernel::testing::central_difference;
using kernel::testing::near;
using kernel::testing::Random;
using kernel::testing::soleus;

constexpr std::size_t n_mtu = 4;
constexpr std::size_t n_dof = 2;
constexpr std::size_t n_step = 12;

/// Four MTUs like the soleus that swing about two joints.
struct Case {
  std::vector<double> parameters;
  std::vector<double> time, mtu_length, mtu_velocity, moment_arm, excitation, measured;

  explicit Case(double shape_factor) {
    for (std::size_t kind = 0; kind < kernel::n_parameter_kind; ++kind)
      for (std::size_t m = 0; m < n_mtu; ++m) parameters.push_back(soleus[kind]);
    const auto shape = kernel::index_of(kernel::ParameterKind::shape_factor);
    std::fill_n(parameters.begin() + shape * n_mtu, n_mtu, shape_factor);
    for (std::size_t k = 0; k < n_step; ++k) {
      const double t = 0.01 * static_cast<double>(k);
      time.push_back(t);
      for (std::size_t m = 0; m < n_mtu; ++m) {
        const double phase = static_cast<double>(m);
        mtu_length.push_back(0.300 + 0.004 * std::sin(20.0 * t + phase));
        mtu_velocity.push_back(0.08 * std::cos(20.0 * t + phase));
        excitation.push_back(0.3 + 0.25 * std::sin(15.0 * t + 2.0 * phase));
      }
      for (const double arm : {0.05, -0.04, 0.03, 0.0, 0.02, 0.0, -0.03, 0.04})
        moment_arm.push_back(arm);
      measured.push_back(20.0 + 100.0 * t);
      measured.push_back(-10.0);
    }
  }
  Trial trial() const {
    return Trial({.n_step = n_step,
                  .n_row = n_step,
                  .n_mtu = n_mtu,
                  .n_dof = n_dof,
                  .time = time.data(),
                  .mtu_length = mtu_length.data(),
                  .moment_arm = moment_arm.data(),
                  .excitation = excitation.data()},
                 time.data(), 0.0, true);
  }
};

/// The manual's curves, constant outside, as CEINMS has them.
Curves ceinms_curves() {
  const kernel::testing::ManualPoints points;
  Curves curves = kernel::testing::manual_curves();
  curves.tendon_force_strain =
      kernel::testing::spline_through(points.tendon_force_strain).table(kernel::Ends::constant);
  return curves;
}

TEST_CASE("force by excitation equals central differences") {
  const Curves curves = ceinms_curves();
  for (const ActivationModel activation :
       {ActivationModel::exponential, ActivationModel::piecewise}) {
    const Case one(activation == ActivationModel::piecewise ? 0.06 : -1.5);
    const Trial trial = one.trial();
    for (const TendonModel tendon : {TendonModel::stiff, TendonModel::equilibrium_elastic}) {
      const Model model{tendon, activation, true, 1e-12};
      FrameModel frames(curves, one.parameters.data(), trial, model);
      for (std::size_t frame = 0; frame < n_step; ++frame) {
        frames.begin(frame);
        for (std::size_t m = 0; m < n_mtu; ++m) {
          const double e = 0.05 + 0.2 * static_cast<double>(m);
          const double difference =
              central_difference([&](double x) { return frames.force_slope(m, x).force; }, e, 1e-4);
          // The curves are of class C2 only, so the difference is exact to its step squared.
          CHECK(frames.force_slope(m, e).by_excitation == near(difference, 1e-5));
          frames.set_excitation(m, e);
          CHECK(frames.force(m) == near(frames.force_slope(m, e).force, 1e-8));
        }
        frames.end();
      }
    }
  }
}

TEST_CASE("force by excitation where there is no equilibrium: that of the stiff tendon") {
  const Curves curves = ceinms_curves();
  Case one(-1.5);
  const auto slack = kernel::index_of(kernel::ParameterKind::tendon_slack_length);
  one.parameters[slack * n_mtu] = 0.13;  // strains beyond 50 %
  const Trial trial = one.trial();
  const Model elastic{TendonModel::equilibrium_elastic, ActivationModel::exponential, true, 1e-6};
  const Model stiff{TendonModel::stiff, ActivationModel::exponential, true, 1e-6};
  FrameModel frames(curves, one.parameters.data(), trial, elastic);
  FrameModel same(curves, one.parameters.data(), trial, stiff);
  frames.begin(0);
  same.begin(0);
  CHECK(frames.has_failed(0));
  CHECK(frames.force_slope(0, 0.4).has_failed);
  CHECK(frames.force_slope(0, 0.4).by_excitation == same.force_slope(0, 0.4).by_excitation);
}

/// Distance from a minimum: how far a step along minus the derivatives, then back into the box and
/// through the soft threshold, would go. Zero exactly at a minimum of a convex problem.
double kkt(const ProximalStep& step, const std::vector<double>& y) {
  const std::size_t n = y.size();
  const std::size_t n_row = step.residual.size();
  double largest = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    double gradient = step.diagonal[i] * (y[i] - step.x[i]) + step.linear[i];
    double scale = step.diagonal[i];
    for (std::size_t d = 0; d < n_row; ++d) {
      double left = step.residual[d];
      for (std::size_t k = 0; k < n; ++k) left -= step.jacobian[d * n + k] * (y[k] - step.x[k]);
      const double slope = step.jacobian[d * n + i];
      gradient -= 2.0 * step.alpha * left * slope;
      scale += 2.0 * step.alpha * slope * slope;
    }
    const double free = y[i] - gradient / scale - step.kink[i];
    const double threshold = step.weight[i] / scale;
    const double moved = std::copysign(std::max(std::abs(free) - threshold, 0.0), free);
    largest = std::max(largest, std::abs(std::clamp(step.kink[i] + moved, 0.0, 1.0) - y[i]));
  }
  return largest;
}

TEST_CASE("proximal step: a minimum, with bounds and kinks met exactly") {
  Random random;
  int n_at_bound = 0;
  int n_at_kink = 0;
  for (int repetition = 0; repetition < 200; ++repetition) {
    const std::size_t n = 1 + static_cast<std::size_t>(repetition % 12);
    const std::size_t n_row = 1 + static_cast<std::size_t>(repetition % 3);
    ProximalStep step(n, n_row);
    step.alpha = std::pow(10.0, random.between(-2.0, 2.0));
    for (std::size_t i = 0; i < n; ++i) {
      step.x[i] = random.between(0.0, 1.0);
      step.kink[i] = random.between(0.0, 1.0);
      step.diagonal[i] = std::pow(10.0, random.between(-3.0, 2.0));
      step.linear[i] = random.between(-1.0, 1.0);
      step.weight[i] = i % 2 == 0 ? random.between(0.0, 3.0) : 0.0;
    }
    for (double& r : step.residual) r = random.between(-20.0, 20.0);
    for (double& j : step.jacobian) j = random.between(-30.0, 30.0);
    const double gain = step.solve();
    CHECK(gain >= 0.0);
    // Rounding of the multipliers (1e-14 of the dual) over the smallest curvature.
    CHECK(kkt(step, step.y()) < 1e-6);
    for (std::size_t i = 0; i < n; ++i) {
      n_at_bound += step.y()[i] == 0.0 || step.y()[i] == 1.0;
      n_at_kink += step.y()[i] == step.kink[i];
    }
  }
  CHECK(n_at_bound > 100);
  CHECK(n_at_kink > 50);
}

TEST_CASE("proximal step: numbers that are not finite are not taken for progress") {
  ProximalStep step(2, 1);
  step.alpha = 1.0;
  step.jacobian = {1.0, std::nan("")};
  step.residual = {1.0};
  CHECK_FALSE(step.solve() > 0.0);
}

struct Arrays {
  std::vector<double> values = std::vector<double>(n_step * n_mtu * 12);
  std::vector<std::int64_t> failed = std::vector<std::int64_t>(n_mtu);
  std::vector<std::int64_t> evaluations = std::vector<std::int64_t>(n_step);
  HybridOutput out() {
    double* next = values.data();
    const auto take = [&] { return std::exchange(next, next + n_step * n_mtu); };
    return {
        {{take(), take(), take(), take(), take(), take(), take()}, take(), take(), failed.data()},
        take(),
        take(),
        evaluations.data()};
  }
};

TEST_CASE("gradient search: not above annealing at a frame with the same past") {
  const Curves curves = ceinms_curves();
  const Case one(-1.5);
  const Trial trial = one.trial();
  const HybridOptions options{1.0, 2.0, 3.0, {0, 2}, {1, 3}, {0, 1}};
  constexpr AnnealingOptions settings{4, 0.3, 20.0, 15, 5, 1e-3, 20000};
  for (const TendonModel tendon : {TendonModel::stiff, TendonModel::equilibrium_elastic}) {
    const Model model{tendon, ActivationModel::exponential, true, 1e-6};
    FrameModel frames(curves, one.parameters.data(), trial, model);
    FrameProblem problem(frames, one.measured.data(), options);
    AnnealingSearch annealing(settings);
    GradientSearch gradient(problem);
    for (std::size_t frame = 0; frame < n_step; ++frame) {
      frames.begin(frame);
      annealing.search(problem);
      const double annealed = problem.terms().objective(options);
      frames.begin(frame);
      const std::size_t evaluations = gradient.search(problem);
      const double found = problem.terms().objective(options);
      // The tolerance of Brent's root, 1e-6 m, is worth some 1e-3 of force here.
      CHECK(found <= annealed + 1e-3 * (1.0 + annealed));
      CHECK(evaluations < 100);
      for (std::size_t m = 0; m < n_mtu; ++m) {
        CHECK(frames.excitation(m) >= 0.0);
        CHECK(frames.excitation(m) <= 1.0);
      }
      frames.end();
    }
  }
}

TEST_CASE("gradient search: bounds hold, kinks are kept, and order does not matter") {
  const Curves curves = ceinms_curves();
  const Case one(-1.5);
  const Trial trial = one.trial();
  const Model model{TendonModel::stiff, ActivationModel::exponential, true, 1e-6};
  const auto excitations = [&](HybridOptions options) {
    FrameModel frames(curves, one.parameters.data(), trial, model);
    FrameProblem problem(frames, one.measured.data(), options);
    GradientSearch search(problem);
    Arrays arrays;
    const HybridOutput out = arrays.out();
    CHECK(run_hybrid(problem, search, out, [] { return true; }) == n_step);
    return std::vector<double>(out.excitation, out.excitation + n_step * n_mtu);
  };
  const auto strict = excitations({1.0, 0.0, 1e9, {0, 1, 2, 3}, {}, {0, 1}});
  CHECK(strict == one.excitation);  // not worth leaving, exactly
  const auto none = excitations({0.0, 1.0, 0.0, {}, {0, 1, 2, 3}, {0, 1}});
  CHECK(none == std::vector<double>(n_step * n_mtu, 0.0));
  const auto forwards = excitations({1.0, 2.0, 3.0, {0, 2}, {1, 3}, {0, 1}});
  const auto backwards = excitations({1.0, 2.0, 3.0, {2, 0}, {3, 1}, {1, 0}});
  for (std::size_t i = 0; i < forwards.size(); ++i)
    CHECK(forwards[i] == near(backwards[i], 1e-4));  // where the descents stop: 1e-9 of f
}

}  // namespace
}  // namespace ceinms_torch::legacy

namespace ceinms_torch::engine {
namespace {

using kernel::ParameterKind;
using kernel::testing::near;

/// Of signals whose third sample, at which the filter restarts, acts in the run-in, at the second
/// step and at the seventh, of 12.
constexpr std::array excitation_starts{-0.2, -0.06, 0.0};
constexpr std::array tendons{kernel::TendonModel::stiff, kernel::TendonModel::rosenbrock};

ExcitationProblem make_problem(const Backend& backend, kernel::TendonModel tendon,
                               std::vector<std::size_t> searched, std::vector<std::size_t> dofs,
                               double excitation_start = 0.0) {
  legacy::Case one(-1.5);
  std::fill_n(one.parameters.begin() + kernel::index_of(ParameterKind::emg_gain) * legacy::n_mtu,
              legacy::n_mtu, 1.0);
  // As many more, again from the first, as the earliest start needs.
  std::vector<double> excitation = one.excitation;
  for (int i = 0; i < 2; ++i)
    excitation.insert(excitation.end(), one.excitation.begin(), one.excitation.end());
  const kernel::TrialInput trial{.n_step = legacy::n_step,
                                 .n_row = 3 * legacy::n_step,
                                 .n_mtu = legacy::n_mtu,
                                 .n_dof = legacy::n_dof,
                                 .time = one.time.data(),
                                 .mtu_length = one.mtu_length.data(),
                                 .mtu_velocity = one.mtu_velocity.data(),
                                 .moment_arm = one.moment_arm.data(),
                                 .excitation = excitation.data(),
                                 .excitation_start = excitation_start,
                                 .excitation_rate = 100.0};
  return {backend,
          trial,
          std::make_shared<const CurveTables>(kernel::testing::manual_curves()),
          {one.parameters,
           one.measured,
           std::move(searched),
           std::move(dofs),
           {tendon, kernel::FilterStart::ceinms}},
          1};
}

TEST_CASE("excitation problem: gradient equals central differences, both tendons") {
  for (const kernel::TendonModel tendon : tendons)
    for (const double start : excitation_starts) {
      ExcitationProblem problem = make_problem(*backends().front(), tendon, {2, 0}, {1}, start);
      std::vector<double> x;
      for (std::size_t i = 0; i < legacy::n_step * 2; ++i)
        x.push_back(0.4 + 0.2 * std::sin(static_cast<double>(i)));
      std::vector<double> gradient(x.size());
      CHECK(problem.square_errors(x.data(), gradient.data()).size() == 1);
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double difference = kernel::testing::central_difference(
            [&](double value) {
              std::vector<double> moved = x;
              moved[i] = value;
              std::vector<double> unused(x.size());
              return problem.square_errors(moved.data(), unused.data())[0];
            },
            x[i], 1e-4);
        CHECK(gradient[i] == near(difference, 1e-5));  // curves of class C2
      }
    }
}

TEST_CASE("linear trial: a solution fulfils its equations, on every instruction set") {
  constexpr double noise = 0.5;
  for (const Backend* backend : backends())
    for (const kernel::TendonModel tendon : tendons)
      for (const double start : excitation_starts) {
        // More MTUs than the narrowest pack has lanes.
        ExcitationProblem problem = make_problem(*backend, tendon, {0, 1, 3}, {0, 1}, start);
        const std::size_t n = problem.n_step() * problem.n_lane();
        const std::size_t n_row = problem.n_step() * problem.n_counted();
        AlignedBuffer x(n, 0.4);
        AlignedBuffer variance(n);
        AlignedBuffer offset(n);
        AlignedBuffer pull(n);
        for (std::size_t i = 0; i < n; ++i) {
          variance[i] = i % 5 == 0 ? 0.0 : 0.1 + 0.05 * static_cast<double>(i % 7);
          offset[i] = 0.1 * std::sin(static_cast<double>(i)) * (variance[i] > 0.0 ? 1.0 : 0.0);
        }
        std::vector<double> error(n_row);
        problem.errors(x.data(), error.data());
        const LinearTrial& linear = problem.linearise();
        const LinearTrialAlgebra& algebra = *backend->linear_trial;
        const std::size_t n_number = n_state(linear);
        AlignedBuffer state(n_number * problem.n_lane());
        AlignedBuffer covariance(covariance_size(linear, problem.n_lane()));
        AlignedBuffer gain(n_row * n_number * problem.n_lane());
        AlignedBuffer root(n_row * problem.n_counted());
        REQUIRE(algebra.factor(linear, variance.data(), noise, covariance.data(), gain.data(),
                               root.data()));
        std::vector<double> y = error;
        algebra.solve(linear, gain.data(), root.data(), offset.data(), y.data(), state.data(),
                      pull.data());
        AlignedBuffer row(n);
        for (std::size_t i = 0; i < n_row; ++i) {
          std::vector<double> unit(n_row);
          unit[i] = 1.0;
          algebra.transposed(linear, unit.data(), state.data(), row.data());
          double moved = noise * y[i];
          for (std::size_t j = 0; j < n; ++j) moved += row[j] * (offset[j] + variance[j] * pull[j]);
          CHECK(moved == near(error[i], 1e-9));
        }
        algebra.transposed(linear, y.data(), state.data(), row.data());
        for (std::size_t j = 0; j < n; ++j) CHECK(pull[j] == near(row[j], 1e-9));
        std::fill_n(variance.data(), n, std::nan(""));
        CHECK_FALSE(algebra.factor(linear, variance.data(), noise, covariance.data(), gain.data(),
                                   root.data()));
      }
}

}  // namespace
}  // namespace ceinms_torch::engine
