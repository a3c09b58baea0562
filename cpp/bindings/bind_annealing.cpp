/// The annealing of CEINMS 0.9 for Python.

#include "bind_kernel.hpp"
#include "ceinms_torch/calibration/optimisers.hpp"
#include "ceinms_torch/engine/simulation.hpp"
#include "ceinms_torch/legacy/calibration.hpp"
#include "ceinms_torch/terms/terms.hpp"
#include "legacy_arrays.hpp"
#include "threads.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <utility>

namespace ceinms_torch::bindings {
namespace {

/// Trials side by side on a thread pool; results do not depend on it.
legacy::ParallelFor parallel_on(std::size_t threads, std::size_t n_trial) {
  const auto pool = std::make_shared<engine::ThreadPool>(std::min(threads, n_trial));
  tell_threads(threads, n_trial, pool->n_thread());
  return [pool](std::size_t n, const std::function<void(std::size_t)>& f) {
    pool->run(n, [&f](std::size_t i, std::size_t) { f(i); });
  };
}

std::unique_ptr<legacy::Problem> make_problem(const Tables& tables, const legacy::Model& model,
                                              const std::vector<LegacyTrial>& arrays,
                                              const std::vector<Array>& measured,
                                              const Indices& dofs, const kernel::ParameterMap& map,
                                              const std::optional<terms::Objective>& objective,
                                              const std::optional<Array>& least_variance,
                                              std::size_t threads) {
  check_threads(threads);
  if (map.n_component() == 0) throw InputError("map", "at least one parameter", "none");
  if (dofs.size() == 0) throw InputError("dofs", "at least one", "none");
  if (arrays.empty() || measured.size() != arrays.size())
    throw InputError("measured", "one array per trial, of at least one trial",
                     std::to_string(measured.size()));
  std::vector<legacy::Trial> trials;
  std::vector<std::vector<double>> moments;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    trials.push_back(arrays[i].trial(model.online));
    if (map.start.size() != kernel::n_parameter_kind * trials.back().n_mtu)
      throw InputError("map", "parameters of the trials' MTUs", "those of others");
    if (trials.back().n_dof != trials.front().n_dof)
      throw InputError("trials", "the same DOFs in all", "another number of them");
    arrays[i].data.check_measured(measured[i]);
    moments.push_back(
        legacy::transposed(measured[i].data(), trials.back().n_step(), trials.back().n_dof));
  }
  std::vector<double> floor(trials.size(), 0.0);
  if (least_variance) {
    check_shape("least_variance", *least_variance, {static_cast<py::ssize_t>(trials.size())});
    check_finite("least_variance", *least_variance);
    std::copy_n(least_variance->data(), floor.size(), floor.begin());
  }
  const auto n_dof = static_cast<py::ssize_t>(trials.front().n_dof);
  return std::make_unique<legacy::Problem>(to_curves(tables), model, std::move(trials),
                                           std::move(moments), to_indices("dofs", dofs, n_dof), map,
                                           objective, floor, parallel_on(threads, arrays.size()));
}

/// InputError unless x has a number of every parameter.
void check_point(const char* name, const legacy::Problem& problem, const Array& x) {
  check_shape(name, x, {static_cast<py::ssize_t>(problem.n_component())});
  check_finite(name, x);
}

calibration::Evaluation evaluate(legacy::Problem& problem, std::span<const double> x) {
  legacy::Evaluation at = problem.evaluate(x);
  return {at.objective, {at.moment, at.penalty}, std::move(at.rmse)};
}

std::span<const double> span_of(const Array& array) {
  return {array.data(), static_cast<std::size_t>(array.size())};
}

calibration::Status status_of(legacy::AnnealingStatus status) {
  using enum legacy::AnnealingStatus;
  switch (status) {
    case converged:
      return calibration::Status::converged_objective;
    case max_iterations:
      return calibration::Status::max_iterations;
    case interrupted:
      return calibration::Status::interrupted;
    case not_finite:
      break;
  }
  return calibration::Status::not_finite;
}

/// InputError unless a state is one of a search over n numbers.
void check_state(const legacy::AnnealingState& state, std::size_t n,
                 const legacy::AnnealingOptions& options) {
  const bool fits = state.x.size() == n && state.best.size() == n && state.step.size() == n &&
                    state.n_accepted.size() == n && state.latest.size() == options.no_epsilon &&
                    state.adjustment < options.nt && state.cycle < options.ns && state.next <= n;
  if (!fits) throw InputError("state", "one of a search with the same settings", "another one");
}

void bind_state(py::module_& module) {
  using State = legacy::AnnealingState;
  py::class_<State>(module, "AnnealingState", "All that an annealing goes on from.")
      .def(py::init<>())
      .def_readwrite("x", &State::x)
      .def_readwrite("best", &State::best)
      .def_readwrite("step", &State::step)
      .def_readwrite("n_accepted", &State::n_accepted)
      .def_readwrite("latest", &State::latest)
      .def_readwrite("temperature", &State::temperature)
      .def_readwrite("f", &State::f)
      .def_readwrite("best_f", &State::best_f)
      .def_readwrite("evaluations", &State::evaluations)
      .def_readwrite("n_temperature", &State::n_temperature)
      .def_readwrite("adjustment", &State::adjustment)
      .def_readwrite("cycle", &State::cycle)
      .def_readwrite("next", &State::next)
      .def_readwrite("random", &State::random);
}

/// An iteration is a temperature.
calibration::Minimum anneal_problem(legacy::Problem& problem, const Array& start,
                                    const Array& lower, const Array& upper,
                                    const legacy::AnnealingOptions& options,
                                    const py::object& callback, const py::object& keep,
                                    double keep_interval,
                                    const std::optional<legacy::AnnealingState>& from) {
  check_point("start", problem, start);
  check_point("lower", problem, lower);
  check_point("upper", problem, upper);
  const auto use = problem.lock().begin("problem");
  const Stopwatch watch;
  calibration::Minimum result;
  const legacy::AnnealingHooks hooks{
      .objective = [&](std::span<const double> x) { return problem.objective(x); },
      .report =
          [&](const legacy::Temperature& at) {
            result.history.push_back({static_cast<int>(at.number), static_cast<int>(at.evaluations),
                                      watch.seconds(), evaluate(problem, at.x)});
            const py::gil_scoped_acquire acquire;
            return call_back(callback, result.history.back());
          },
      .go_on = until_interrupted(),
      .keeps =
          [&, last = 0.0]() mutable {
            if (keep.is_none() || watch.seconds() - last < keep_interval) return false;
            last = watch.seconds();
            return true;
          },
      .keep =
          [&](const legacy::AnnealingState& state) {
            const py::gil_scoped_acquire acquire;
            keep(state);
          }};
  if (from) check_state(*from, static_cast<std::size_t>(start.size()), options);
  const py::gil_scoped_release release;
  legacy::AnnealingResult found =
      legacy::anneal(legacy::AnnealingKind::calibration, span_of(start), span_of(lower),
                     span_of(upper), options, hooks, from ? &*from : nullptr);
  result.x = std::move(found.x);
  result.evaluation = evaluate(problem, result.x);
  result.evaluations = static_cast<int>(found.evaluations);
  result.seconds = watch.seconds();
  result.status = status_of(found.status);
  return result;
}

}  // namespace

void bind_annealing(py::module_& module) {
  bind_state(module);
  py::class_<legacy::Problem>(module, "LegacyProblem",
                              "A calibration step of CEINMS. Use it from one thread at a time.")
      .def(
          py::init(&make_problem), py::kw_only(), "tables"_a, "model"_a, "trials"_a, "measured"_a,
          "dofs"_a, "map"_a, "objective"_a = py::none(), "least_variance"_a = py::none(),
          "threads"_a = 1,
          "objective: moment errors, and penalties on fibre lengths and velocities; None for those "
          "of CEINMS 0.9. least_variance (n_trial): floor of a trial's moment variances.")
      .def(
          "evaluate",
          [](legacy::Problem& problem, const Array& x) {
            check_point("x", problem, x);
            const auto use = problem.lock().begin("problem");
            const py::gil_scoped_release release;
            return evaluate(problem, span_of(x));
          },
          "x"_a, "Objective at parameter values x (n_component).")
      .def_property_readonly(
          "failures",
          [](legacy::Problem& problem) {
            const auto use = problem.lock().begin("problem");
            return problem.failures();
          },
          "Frames without equilibrium at the last point (n_mtu).");
  module.def(
      "legacy_anneal", &anneal_problem, "problem"_a, py::kw_only(), "start"_a, "lower"_a, "upper"_a,
      "options"_a, "callback"_a = py::none(), "keep"_a = py::none(), "keep_interval"_a = 1.0,
      "state"_a = py::none(),
      "Minimise by CEINMS's annealing; callback(Iteration) after every temperature, "
      "keep(AnnealingState) every keep_interval [s]. With such a state it goes on from there "
      "to the same result. Ctrl-C stops and keeps the best point.");
}

}  // namespace ceinms_torch::bindings
