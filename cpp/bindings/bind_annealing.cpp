/// The annealing of CEINMS 0.9 for Python.

#include "bind_kernel.hpp"
#include "ceinms_torch/engine/simulation.hpp"
#include "ceinms_torch/legacy/calibration.hpp"
#include "legacy_arrays.hpp"

#include <memory>

namespace ceinms_torch::bindings {
namespace {

/// Trials side by side on a thread pool; results do not depend on it.
legacy::ParallelFor parallel_on(std::size_t threads) {
  if (threads <= 1)
    return [](std::size_t n, const std::function<void(std::size_t)>& f) {
      for (std::size_t i = 0; i < n; ++i) f(i);
    };
  return [pool = std::make_shared<engine::ThreadPool>(threads)](
             std::size_t n, const std::function<void(std::size_t)>& f) {
    pool->run(n, [&f](std::size_t i, std::size_t) { f(i); });
  };
}

std::vector<double> columns_of(const Array& array) {
  std::vector<double> result;
  for (py::ssize_t column = 0; column < array.shape(1); ++column)
    for (py::ssize_t row = 0; row < array.shape(0); ++row) result.push_back(array.at(row, column));
  return result;
}

std::unique_ptr<legacy::Problem> make_problem(
    const std::array<TableArrays, 4>& tables, const legacy::Model& model,
    const std::vector<LegacyTrial>& arrays, const std::vector<Array>& measured, const Indices& dofs,
    const Array& start, const Indices& slot, const Indices& component, std::size_t threads) {
  if (arrays.empty() || measured.size() != arrays.size())
    throw std::invalid_argument("measured: expected one array per trial, of at least one trial.");
  if (slot.size() != component.size())
    throw std::invalid_argument("component: expected one per slot.");
  std::vector<legacy::Trial> trials;
  std::vector<std::vector<double>> moments;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    trials.push_back(arrays[i].trial(model.online));
    check_parameters(start, trials.back());
    if (trials.back().n_dof != trials.front().n_dof)
      throw std::invalid_argument("moment_arm: expected the same DOFs in all trials.");
    check_shape("measured", measured[i],
                {static_cast<py::ssize_t>(trials.back().n_step()),
                 static_cast<py::ssize_t>(trials.front().n_dof)});
    check_finite("measured", measured[i]);
    moments.push_back(columns_of(measured[i]));
  }
  const auto n_dof = static_cast<py::ssize_t>(trials.front().n_dof);
  return std::make_unique<legacy::Problem>(
      legacy_curves(tables), model, std::move(trials), std::move(moments),
      to_indices("dofs", dofs, n_dof),
      legacy::ParameterMap{{start.data(), start.data() + start.size()},
                           to_indices("slot", slot, start.size()),
                           to_indices("component", component, start.size())},
      parallel_on(threads));
}

/// The state after a temperature, for Python.
struct LegacyIteration {
  std::size_t iteration;
  std::uint64_t evaluations;
  double seconds;
  double temperature;
  legacy::Evaluation best;
};

struct LegacyMinimum {
  std::vector<double> x;
  legacy::Evaluation best;
  std::uint64_t evaluations;
  double seconds;
  legacy::AnnealingStatus status;
  std::vector<LegacyIteration> history;
};

LegacyMinimum anneal_problem(legacy::Problem& problem, const Array& start, const Array& lower,
                             const Array& upper, const legacy::AnnealingOptions& options,
                             const py::object& callback) {
  check_shape("lower", lower, {start.size()});
  check_shape("upper", upper, {start.size()});
  const auto span = [](const Array& array) {
    return std::span(array.data(), static_cast<std::size_t>(array.size()));
  };
  const Stopwatch watch;
  LegacyMinimum result;
  const legacy::AnnealingHooks hooks{
      .objective = [&](std::span<const double> x) { return problem.objective(x); },
      .report =
          [&](const legacy::Temperature& at) {
            result.history.push_back({at.number, at.evaluations, watch.seconds(), at.temperature,
                                      problem.evaluate(at.x)});
            const py::gil_scoped_acquire acquire;
            return call_back(callback, result.history.back());
          },
      .go_on = until_interrupted()};
  const py::gil_scoped_release release;
  legacy::AnnealingResult found = legacy::anneal(legacy::AnnealingKind::calibration, span(start),
                                                 span(lower), span(upper), options, hooks);
  result.x = std::move(found.x);
  result.best = problem.evaluate(result.x);
  result.evaluations = found.evaluations;
  result.seconds = watch.seconds();
  result.status = found.status;
  return result;
}

std::string status_name(legacy::AnnealingStatus status) {
  using enum legacy::AnnealingStatus;
  switch (status) {
    case converged:
      return "converged";
    case max_iterations:
      return "max_iterations";
    case interrupted:
      return "interrupted";
    case not_finite:
      return "not_finite";
  }
  return "";
}

}  // namespace

void bind_annealing(py::module_& module) {
  py::class_<legacy::Evaluation>(module, "LegacyEvaluation", "CEINMS's objective at one point.")
      .def_readonly("objective", &legacy::Evaluation::objective)
      .def_readonly("moment", &legacy::Evaluation::moment)
      .def_readonly("penalty", &legacy::Evaluation::penalty)
      .def_readonly("rmse", &legacy::Evaluation::rmse);
  py::class_<LegacyIteration>(module, "LegacyIteration", "The annealing after a temperature.")
      .def_readonly("iteration", &LegacyIteration::iteration)
      .def_readonly("evaluations", &LegacyIteration::evaluations)
      .def_readonly("seconds", &LegacyIteration::seconds)
      .def_readonly("temperature", &LegacyIteration::temperature)
      .def_readonly("best", &LegacyIteration::best);
  py::class_<LegacyMinimum>(module, "LegacyMinimum", "What an annealing found.")
      .def_property_readonly("x", [](const LegacyMinimum& m) { return to_array(m.x); })
      .def_readonly("best", &LegacyMinimum::best)
      .def_readonly("evaluations", &LegacyMinimum::evaluations)
      .def_readonly("seconds", &LegacyMinimum::seconds)
      .def_property_readonly("status", [](const LegacyMinimum& m) { return status_name(m.status); })
      .def_readonly("history", &LegacyMinimum::history);
  py::class_<legacy::Problem>(module, "LegacyProblem",
                              "A calibration step of CEINMS. Use it from one thread at a time.")
      .def(py::init(&make_problem), py::kw_only(), py::arg("tables"), py::arg("model"),
           py::arg("trials"), py::arg("measured"), py::arg("dofs"), py::arg("start"),
           py::arg("slot"), py::arg("component"), py::arg("threads") = 1)
      .def(
          "evaluate",
          [](legacy::Problem& problem, const Array& x) {
            const py::gil_scoped_release release;
            return problem.evaluate({x.data(), static_cast<std::size_t>(x.size())});
          },
          py::arg("x"), "Objective at parameter values x (n_component).")
      .def_property_readonly("failures", &legacy::Problem::failures,
                             "Frames without equilibrium at the last point (n_mtu).");
  module.def("legacy_anneal", &anneal_problem, py::arg("problem"), py::kw_only(), py::arg("start"),
             py::arg("lower"), py::arg("upper"), py::arg("options"),
             py::arg("callback") = py::none(),
             "Minimise by CEINMS's annealing; callback(LegacyIteration) after every temperature. "
             "Ctrl-C stops and keeps the best point.");
}

}  // namespace ceinms_torch::bindings
