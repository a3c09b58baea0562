/// The fused engine for Python: problems, their derivatives, Levenberg-Marquardt and AdamW.

#include "arrays.hpp"
#include "bind_kernel.hpp"
#include "callback.hpp"
#include "ceinms_torch/calibration/optimisers.hpp"
#include "names.hpp"
#include "trial.hpp"

#include <string>

namespace ceinms_torch::bindings {
namespace {

using calibration::AdamWOptions;
using calibration::Evaluation;
using calibration::Iteration;
using calibration::LevenbergMarquardtOptions;
using calibration::LinearTerm;
using calibration::Minimum;
using calibration::Problem;
using calibration::ProblemData;
using calibration::SmoothProblem;
using engine::Backend;
using engine::CurveTables;

LinearTerm make_linear_term(std::string name, const Array& matrix, const Array& offset) {
  if (matrix.ndim() != 2) throw InputError("matrix", "shape (n_row, n)", shape_of(matrix));
  check_shape("offset", offset, {matrix.shape(0)});
  check_finite("matrix", matrix);
  check_finite("offset", offset);
  return {std::move(name), to_vector(matrix), to_vector(offset)};
}

/// A Problem with the lock that keeps two Python threads from using it at once.
std::shared_ptr<Problem> make_problem(const Tables& tables, const std::vector<Trial>& trials,
                                      const std::vector<Array>& measured, const Array& variance,
                                      const Array& start, const Array& lower, const Array& upper,
                                      const Indices& slot, const Indices& component,
                                      const Indices& dofs,
                                      const kernel::ObjectiveOptions& objective,
                                      const std::string& tendon, const std::string& filter_start,
                                      std::size_t threads, const std::string& instruction_set,
                                      const std::vector<LinearTerm>& linear_terms) {
  if (trials.empty()) throw InputError("trials", "at least one", "none");
  const py::ssize_t n_mtu = trials.front().n_mtu();
  const py::ssize_t n_dof = trials.front().n_dof();
  const auto n_trial = static_cast<py::ssize_t>(trials.size());
  if (measured.size() != trials.size())
    throw InputError("measured", "one array per trial", std::to_string(measured.size()));
  check_shape("variance", variance, {n_trial, n_dof});
  check_shape("start", start, {static_cast<py::ssize_t>(kernel::n_parameter_kind), n_mtu});
  check_shape("upper", upper, {lower.size()});
  check_finite("start", start);
  check_finite("lower", lower);
  check_finite("upper", upper);
  for (py::ssize_t i = 0; i < lower.size(); ++i)
    if (upper.data()[i] < lower.data()[i])
      throw InputError("upper", "to be at or above lower", "less");
  if (slot.size() != component.size())
    throw InputError("component", "one per slot",
                     std::to_string(component.size()) + " for " + std::to_string(slot.size()));
  check_indices("slot", slot, start.size());
  check_indices("component", component, lower.size());
  check_unique("slot", slot);
  if (dofs.size() == 0) throw InputError("dofs", "at least one", "none");
  check_indices("dofs", dofs, n_dof);
  check_unique("dofs", dofs);
  if (threads == 0) throw InputError("threads", "at least 1", "0");

  ProblemData data{.map = {to_vector(start), to_vector(lower), to_vector(upper), to_indices(slot),
                           to_indices(component)},
                   .measured = {},
                   .dofs = to_indices(dofs),
                   .objective = objective,
                   .simulation = simulation_options(tendon, filter_start),
                   .linear_terms = linear_terms};
  for (const LinearTerm& term : linear_terms)
    if (term.matrix.size() != term.offset.size() * data.map.n_component())
      throw InputError("linear_terms",
                       "matrices of " + std::to_string(data.map.n_component()) + " columns",
                       "another number");
  std::vector<kernel::TrialInput> inputs;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    if (trials[i].n_mtu() != n_mtu || trials[i].n_dof() != n_dof)
      throw InputError("trials", "the same MTUs and DOFs in all", "another number of them");
    trials[i].check_measured(measured[i]);
    inputs.push_back(trials[i].input());
    const double* row = variance.data() + static_cast<py::ssize_t>(i) * n_dof;
    data.measured.push_back({to_vector(measured[i]), {row, row + n_dof}});
    for (const std::size_t dof : data.dofs)
      if (!(row[dof] > 0.0)) throw InputError("variance", "positive numbers", "one that is not");
  }
  return std::make_shared<Problem>(backend_named(instruction_set), inputs,
                                   std::make_shared<const CurveTables>(to_curves(tables)),
                                   std::move(data), threads);
}

std::vector<double> point(const SmoothProblem& problem, const Array& x) {
  check_shape("x", x, {static_cast<py::ssize_t>(problem.n_component())});
  check_finite("x", x);
  if (std::any_of(x.data(), x.data() + problem.n_boxed(),
                  [](double v) { return v < 0.0 || v > 1.0; }))
    throw InputError("x", "numbers from 0 to 1", "one outside");
  return to_vector(x);
}

void bind_results(py::module_& module) {
  py::class_<Evaluation>(module, "Evaluation", "The objective at one point.")
      .def_readonly("objective", &Evaluation::objective)
      .def_readonly("terms", &Evaluation::terms)
      .def_readonly("rmse", &Evaluation::rmse);
  py::class_<Iteration>(module, "Iteration", "The objective at one iterate.")
      .def_readonly("iteration", &Iteration::iteration)
      .def_readonly("evaluations", &Iteration::evaluations)
      .def_readonly("seconds", &Iteration::seconds)
      .def_property_readonly("objective", [](const Iteration& i) { return i.evaluation.objective; })
      .def_property_readonly("terms", [](const Iteration& i) { return i.evaluation.terms; })
      .def_property_readonly("rmse", [](const Iteration& i) { return i.evaluation.rmse; });
  py::class_<Minimum>(module, "Minimum", "The best point an optimiser saw, and how it got there.")
      .def_property_readonly("x", [](const Minimum& m) { return to_array(m.x); })
      .def_property_readonly("objective", [](const Minimum& m) { return m.evaluation.objective; })
      .def_property_readonly("terms", [](const Minimum& m) { return m.evaluation.terms; })
      .def_readonly("history", &Minimum::history)
      .def_readonly("evaluations", &Minimum::evaluations)
      .def_readonly("seconds", &Minimum::seconds)
      .def_property_readonly("status",
                             [](const Minimum& m) { return std::string(name_of(m.status)); });
}

Minimum run_levenberg_marquardt(Problem& problem, const Array& start, int max_iterations,
                                double min_improvement, int patience, double min_gradient,
                                double min_step, double damping, const py::object& callback) {
  const LevenbergMarquardtOptions options{max_iterations, min_improvement, patience,
                                          min_gradient,   min_step,        damping};
  const std::vector<double> x = point(problem, start);
  const calibration::Progress progress = progress_through(callback);
  const py::gil_scoped_release release;
  return calibration::minimise_levenberg_marquardt(problem, x, options, progress);
}

Minimum run_adamw(SmoothProblem& problem, const Array& start, double learning_rate,
                  double learning_rate_decay, double min_learning_rate, int max_iterations,
                  double min_improvement, int patience, double weight_decay,
                  const py::object& callback) {
  const AdamWOptions options{learning_rate,  learning_rate_decay, min_learning_rate,
                             max_iterations, min_improvement,     patience,
                             weight_decay};
  const std::vector<double> x = point(problem, start);
  const calibration::Progress progress = progress_through(callback);
  const py::gil_scoped_release release;
  return calibration::minimise_adamw(problem, x, options, progress);
}

void bind_optimisers(py::module_& module) {
  module.def("minimise_levenberg_marquardt", &run_levenberg_marquardt, py::arg("problem"),
             py::arg("start"), py::kw_only(), py::arg("max_iterations"), py::arg("min_improvement"),
             py::arg("patience"), py::arg("min_gradient"), py::arg("min_step"), py::arg("damping"),
             py::arg("callback") = py::none(),
             "Minimise from start (n) in [0, 1] by Levenberg-Marquardt; callback(Iteration). "
             "Ctrl-C stops and keeps the best point.");
  module.def("minimise_adamw", &run_adamw, py::arg("problem"), py::arg("start"), py::kw_only(),
             py::arg("learning_rate"), py::arg("learning_rate_decay"), py::arg("min_learning_rate"),
             py::arg("max_iterations"), py::arg("min_improvement"), py::arg("patience"),
             py::arg("weight_decay"), py::arg("callback") = py::none(),
             "Minimise from start (n) in [0, 1] by AdamW; callback(Iteration). Ctrl-C stops and "
             "keeps the best point.");
}

void bind_smooth_problem(py::module_& module) {
  py::class_<SmoothProblem, std::shared_ptr<SmoothProblem>>(
      module, "SmoothProblem", "An objective with a gradient. Use it from one thread at a time.")
      .def_property_readonly("n_component", &SmoothProblem::n_component)
      .def_property_readonly("n_boxed", &SmoothProblem::n_boxed,
                             "The first so many components stay in [0, 1]; the others are free.")
      .def_property_readonly("term_names", &SmoothProblem::term_names)
      .def(
          "gradient",
          [](SmoothProblem& problem, const Array& x) {
            const std::vector<double> at = point(problem, x);
            Array gradient(x.size());
            double* out = gradient.mutable_data();
            Evaluation evaluation;
            {
              const py::gil_scoped_release release;
              evaluation = problem.gradient(at.data(), out);
            }
            return std::pair(evaluation, gradient);
          },
          py::arg("x"), "Objective and its gradient (n) at x (n).");
}

void bind_problem(py::module_& module) {
  py::class_<kernel::RangePenalty>(module, "RangePenalty", py::module_local(),
                                   "weight * distance^2 outside a range.")
      .def(py::init<double, double, double>(), py::arg("lowest"), py::arg("highest"),
           py::arg("weight"));
  py::class_<kernel::ObjectiveOptions>(module, "ObjectiveOptions", py::module_local(),
                                       "Normalisation and penalties of eq. 4, weight of the peak "
                                       "force.")
      .def(py::init(&objective_options), py::kw_only(), py::arg("normalisation"),
           py::arg("fibre_length"), py::arg("tendon_strain"), py::arg("peak_force_weight"));
  py::class_<LinearTerm>(module, "LinearTerm", "A term |matrix x - offset|^2 of a point x.")
      .def(py::init(&make_linear_term), py::kw_only(), py::arg("name"), py::arg("matrix"),
           py::arg("offset"));
  py::class_<Problem, SmoothProblem, std::shared_ptr<Problem>>(
      module, "Problem",
      "A calibration step on the fused engine. Use it from one thread at a time.")
      .def(py::init(&make_problem), py::kw_only(), py::arg("tables"), py::arg("trials"),
           py::arg("measured"), py::arg("variance"), py::arg("start"), py::arg("lower"),
           py::arg("upper"), py::arg("slot"), py::arg("component"), py::arg("dofs"),
           py::arg("objective"), py::arg("tendon"), py::arg("filter_start"), py::arg("threads"),
           py::arg("instruction_set") = "auto", py::arg("linear_terms") = std::vector<LinearTerm>{},
           "measured: one (n_step, n_dof) [N m] per trial; variance (n_trial, n_dof) [N^2 m^2].")
      .def(
          "evaluate",
          [](Problem& problem, const Array& x) {
            const std::vector<double> at = point(problem, x);
            const py::gil_scoped_release release;
            return Evaluation(problem.evaluate(at.data()));
          },
          py::arg("x"), "Objective at x (n) in [0, 1].")
      .def(
          "residuals",
          [](Problem& problem, const Array& x) {
            const std::vector<double> at = point(problem, x);
            std::vector<double> residual;
            std::vector<double> jacobian;
            {
              const py::gil_scoped_release release;
              problem.residuals(at.data(), residual, jacobian);
            }
            Array matrix({residual.size(), problem.n_component()});
            std::copy(jacobian.begin(), jacobian.end(), matrix.mutable_data());
            return std::pair(to_array(residual), matrix);
          },
          py::arg("x"),
          "Residuals (n_row), whose squares sum to the objective, and their derivatives "
          "(n_row, n); penalties have rows only where they are not zero.")
      .def(
          "normal_equations",
          [](Problem& problem, const Array& x) {
            const std::vector<double> at = point(problem, x);
            Array gradient(x.size());
            Array matrix({x.size(), x.size()});
            double* by_x = gradient.mutable_data();
            double* products = matrix.mutable_data();
            {
              const py::gil_scoped_release release;
              problem.normal_equations(at.data(), by_x, products);
              const std::size_t n = at.size();
              for (std::size_t i = 0; i < n; ++i)
                for (std::size_t j = i + 1; j < n; ++j) products[j * n + i] = products[i * n + j];
            }
            return std::pair(gradient, matrix);
          },
          py::arg("x"),
          "Gradient (n) and Gauss-Newton matrix (n, n): twice the products of all residuals' "
          "derivatives.");
  module.def(
      "instruction_sets",
      [] {
        std::vector<std::string> names;
        for (const Backend* backend : engine::backends()) names.emplace_back(backend->name);
        return names;
      },
      "Instruction sets that this build has and this machine runs, the best first.");
}

}  // namespace

void bind_fused(py::module_& module) {
  bind_results(module);
  bind_smooth_problem(module);
  bind_problem(module);
  bind_optimisers(module);
}

}  // namespace ceinms_torch::bindings
