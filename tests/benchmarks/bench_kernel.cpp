/// What a simulation, its gradient and its Jacobian cost, and how that grows. Writes JSON.
///
///   bench_kernel [SECONDS]    how long each figure is measured, default 0.3
///
/// "simulation" figures are those of the trajectories alone, "problem" figures include the
/// objective: moments, penalties and, for the normal equations, products of all residuals.
/// One thread is measured in its CPU time, two threads by the wall; always the best and the
/// median of many calls.

#include "ceinms_torch/kernel/trial.hpp"
#include "measuring.hpp"
#include "synthetic.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

namespace ceinms_torch::benchmarks {
namespace {

using engine::Backend;
using kernel::ParameterKind;

double seconds_per_figure = 0.3;

/// Inputs that differ from call to call, as blocks without a change are not simulated again.
class Alternating {
 public:
  explicit Alternating(const std::vector<double>& values) : values_{values, values} {
    for (double& value : values_[1]) value *= 1.001;
  }
  /// Parameters (n_parameter_kind, n_mtu), of which all but the delays alternate: a new delay
  /// would sample all excitations again.
  static Alternating parameters(const Case& one) {
    Alternating result(one.start());
    const auto delay = static_cast<std::size_t>(ParameterKind::em_delay) * one.size().n_mtu;
    std::copy_n(one.start().begin() + static_cast<std::ptrdiff_t>(delay), one.size().n_mtu,
                result.values_[1].begin() + static_cast<std::ptrdiff_t>(delay));
    return result;
  }
  const double* next() { return values_[turn_ = !turn_].data(); }

 private:
  std::vector<double> values_[2];
  bool turn_ = false;
};

Clock clock_of(std::size_t n_thread) {
  return n_thread == 1 ? Clock::thread_cpu : Clock::wall;
}

JsonObject timing(const Timing& time, double unit) {
  return JsonObject().add("best", time.best / unit).add("median", time.median / unit);
}

JsonObject labelled(const Case& one, std::size_t n_thread) {
  return JsonObject()
      .add("n_mtu", static_cast<double>(one.size().n_mtu))
      .add("n_trial", static_cast<double>(one.size().n_trial))
      .add("n_frame", static_cast<double>(one.size().n_frame))
      .add("threads", static_cast<double>(n_thread));
}

/// Trajectories: forward, forward and reverse, forward with derivatives by six parameters.
std::vector<Timing> time_simulation(const Case& one, const Backend& backend, std::size_t n_thread) {
  engine::Workspace workspace = one.workspace(backend, n_thread);
  Alternating parameters = Alternating::parameters(one);
  const std::vector<ParameterKind> kinds(std::begin(calibrated), std::end(calibrated) - 1);
  std::vector<double> gradient(one.start().size());
  std::vector<engine::AlignedBuffer> by_strength;
  workspace.forward(parameters.next());
  workspace.clear_seeds();
  const std::size_t n_block = workspace.layout().n_block();
  for (std::size_t b = 0; b < n_block; ++b) {
    const std::size_t size = workspace.layout().block(b).n_step * backend.width;
    std::fill_n(workspace.seed_force(b), size, 1.0);
    by_strength.emplace_back(size);
  }
  const auto jacobian = [&] {
    const double* now = parameters.next();
    workspace.sensitivities(now, kinds, [](std::size_t, const auto&) {}, [](const auto&) {});
    // The sixth parameter scales the force.
    const double strength =
        now[static_cast<std::size_t>(ParameterKind::strength_coefficient) * one.size().n_mtu];
    for (std::size_t b = 0; b < n_block; ++b)
      for (std::size_t i = 0; i < by_strength[b].size(); ++i)
        by_strength[b][i] = workspace.trace(b).mtu_force[i] * (1.0 / strength);
  };
  return time_in_turns(clock_of(n_thread), seconds_per_figure,
                       {[&] { workspace.forward(parameters.next()); },
                        [&] {
                          workspace.forward(parameters.next());
                          workspace.reverse(gradient.data());
                        },
                        jacobian});
}

/// The objective: value, gradient, gradient and Gauss-Newton matrix.
std::vector<Timing> time_problem(const Case& one, const Backend& backend, std::size_t n_thread,
                                 bool with_matrix) {
  calibration::Problem problem = one.problem(backend, n_thread);
  const std::size_t n = problem.n_component();
  Alternating x(std::vector<double>(n, 0.5));
  std::vector<double> gradient(n);
  std::vector<double> matrix(with_matrix ? n * n : 0);
  std::vector<std::function<void()>> functions{
      [&] { problem.evaluate(x.next()); }, [&] { problem.gradient(x.next(), gradient.data()); }};
  if (with_matrix)
    functions.emplace_back(
        [&] { problem.normal_equations(x.next(), gradient.data(), matrix.data()); });
  return time_in_turns(clock_of(n_thread), seconds_per_figure, functions);
}

/// One MTU after another in plain double precision.
Timing time_scalar(const Case& one) {
  const auto curves = kernel::testing::manual_curves();
  const Size& size = one.size();
  const std::size_t n = size.n_frame * size.n_mtu;
  std::vector<double> columns(6 * n + size.n_frame * size.n_dof());
  const kernel::TrialOutput output{&columns[0],     &columns[n],     &columns[2 * n],
                                   &columns[3 * n], &columns[4 * n], &columns[5 * n],
                                   &columns[6 * n]};
  return time_in_turns(Clock::thread_cpu, seconds_per_figure, {[&] {
                         for (const kernel::TrialInput& trial : one.inputs())
                           kernel::simulate_trial(curves, one.start().data(), trial, {}, output);
                       }})
      .front();
}

/// ns per MTU and step of every backend.
std::vector<JsonObject> by_backend(const Case& one) {
  const double unit = 1e-9 * one.size().mtu_steps();
  std::vector<JsonObject> result{labelled(one, 1)
                                     .add("backend", std::string("scalar"))
                                     .add("forward", timing(time_scalar(one), unit))};
  for (const Backend* backend : engine::backends()) {
    const std::vector<Timing> simulation = time_simulation(one, *backend, 1);
    const std::vector<Timing> problem = time_problem(one, *backend, 1, true);
    result.push_back(labelled(one, 1)
                         .add("backend", std::string(backend->name))
                         .add("forward", timing(simulation[0], unit))
                         .add("gradient", timing(simulation[1], unit))
                         .add("jacobian", timing(simulation[2], unit))
                         .add("problem_value", timing(problem[0], unit))
                         .add("problem_gradient", timing(problem[1], unit))
                         .add("problem_normal_equations", timing(problem[2], unit)));
  }
  return result;
}

/// How the cost of a gradient and of the normal equations grows with one of the sizes.
JsonObject growth(const std::vector<Size>& sizes, std::size_t Size::*which) {
  const Backend& backend = *engine::backends().front();
  std::vector<double> x, value, gradient, equations;
  std::vector<JsonObject> points;
  for (const Size& size : sizes) {
    const Case one(size);
    const std::vector<Timing> times = time_problem(one, backend, 1, true);
    x.push_back(static_cast<double>(size.*which));
    value.push_back(times[0].best);
    gradient.push_back(times[1].best);
    equations.push_back(times[2].best);
    points.push_back(labelled(one, 1)
                         .add("value_ms", timing(times[0], 1e-3))
                         .add("gradient_ms", timing(times[1], 1e-3))
                         .add("normal_equations_ms", timing(times[2], 1e-3)));
  }
  return JsonObject()
      .add("value_exponent", growth_exponent(x, value))
      .add("gradient_exponent", growth_exponent(x, gradient))
      .add("normal_equations_exponent", growth_exponent(x, equations))
      .add("points", points);
}

JsonObject growths() {
  std::vector<Size> trials, frames, mtus;
  for (const std::size_t n : {2, 4, 8, 16, 32}) trials.push_back({12, n, 170});
  for (const std::size_t n : {170, 340, 680, 1350, 2700}) frames.push_back({12, 3, n});
  for (const std::size_t n : {8, 16, 32, 64, 128, 166}) mtus.push_back({n, 3, 170});
  return JsonObject()
      .add("trials", growth(trials, &Size::n_trial))
      .add("frames", growth(frames, &Size::n_frame))
      .add("mtus", growth(mtus, &Size::n_mtu));
}

/// One thread against two, by the wall, in turns; for long, as it needs moments in which no other
/// program wants either core.
JsonObject threads(const Size& size, bool with_matrix) {
  const Case one(size);
  const Backend& backend = *engine::backends().front();
  calibration::Problem problems[] = {one.problem(backend, 1), one.problem(backend, 2)};
  const std::size_t n = problems[0].n_component();
  const Alternating start(std::vector<double>(n, 0.5));
  Alternating x[] = {start, start};
  std::vector<double> gradient(n), matrix(with_matrix ? n * n : 0);
  std::vector<std::function<void()>> functions;
  for (const std::size_t i : {0, 1})
    functions.emplace_back([&, i] { problems[i].gradient(x[i].next(), gradient.data()); });
  for (const std::size_t i : {0, 1})
    if (with_matrix)
      functions.emplace_back(
          [&, i] { problems[i].normal_equations(x[i].next(), gradient.data(), matrix.data()); });
  const std::vector<Timing> times =
      time_in_turns(Clock::wall, 15.0 * seconds_per_figure, functions);
  JsonObject result = labelled(one, 2);
  result.add("gradient_one_thread_ms", timing(times[0], 1e-3))
      .add("gradient_two_threads_ms", timing(times[1], 1e-3))
      .add("gradient_speed_up", times[0].best / times[1].best);
  if (with_matrix)
    result.add("normal_equations_one_thread_ms", timing(times[2], 1e-3))
        .add("normal_equations_two_threads_ms", timing(times[3], 1e-3))
        .add("normal_equations_speed_up", times[2].best / times[3].best);
  return result;
}

}  // namespace
}  // namespace ceinms_torch::benchmarks

int main(int argc, char** argv) {
  using namespace ceinms_torch::benchmarks;
  if (argc > 1) seconds_per_figure = std::atof(argv[1]);
  const JsonObject result =
      JsonObject()
          .add("one_thread_clock", std::string("thread CPU time"))
          .add("two_threads_clock", std::string("wall"))
          .add("ns_per_mtu_and_step", by_backend(Case({12, 3, 170})))
          .add("ns_per_mtu_and_step_large", by_backend(Case({48, 6, 340})))
          .add("growth", growths())
          .add("threads", {threads({12, 6, 170}, true), threads({12, 12, 340}, true),
                           threads({166, 2, 2700}, false)});
  std::puts(result.text().c_str());
}
