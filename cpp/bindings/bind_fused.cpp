/// The fused engine for Python: problems, their derivatives, Levenberg-Marquardt and AdamW.

#include "arrays.hpp"
#include "bind_kernel.hpp"
#include "callback.hpp"
#include "ceinms_torch/calibration/optimisers.hpp"
#include "names.hpp"
#include "threads.hpp"
#include "trial.hpp"

#include <string>
#include <tuple>

namespace ceinms_torch::bindings {
namespace {

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
using kernel::ParameterMap;

LinearTerm make_linear_term(std::string name, const Array& matrix, const Array& offset) {
  if (matrix.ndim() != 2) throw InputError("matrix", "shape (n_row, n)", shape_of(matrix));
  check_shape("offset", offset, {matrix.shape(0)});
  check_finite("matrix", matrix);
  check_finite("offset", offset);
  return {std::move(name), static_cast<std::size_t>(matrix.shape(1)), to_vector(matrix),
          to_vector(offset)};
}

ParameterMap make_parameter_map(const Array& start, const Array& lower, const Array& upper,
                                const Indices& slot, const Indices& component) {
  if (start.ndim() != 2 || start.size() == 0)
    throw InputError("start", "shape (n_kind, n_mtu), not empty", shape_of(start));
  check_parameters(start, start.shape(1));
  check_shape("lower", lower, {lower.size()});
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
  check_unique("slot", slot);
  return {to_vector(start), to_vector(lower), to_vector(upper),
          to_indices("slot", slot, start.size()), to_indices("component", component, lower.size())};
}

std::shared_ptr<Problem> make_problem(const Tables& tables, const std::vector<Trial>& trials,
                                      const std::vector<Array>& measured, const Array& variance,
                                      const ParameterMap& map, const Indices& dofs,
                                      const terms::Objective& objective, const std::string& tendon,
                                      const std::string& filter_start, std::size_t threads,
                                      const std::string& instruction_set,
                                      const std::vector<LinearTerm>& linear_terms) {
  if (trials.empty()) throw InputError("trials", "at least one", "none");
  const auto n_mtu = static_cast<py::ssize_t>(map.start.size() / kernel::n_parameter_kind);
  const py::ssize_t n_dof = trials.front().n_dof();
  if (measured.size() != trials.size())
    throw InputError("measured", "one array per trial", std::to_string(measured.size()));
  check_shape("variance", variance, {static_cast<py::ssize_t>(trials.size()), n_dof});
  if (dofs.size() == 0) throw InputError("dofs", "at least one", "none");
  check_indices("dofs", dofs, n_dof);
  check_unique("dofs", dofs);
  check_threads(threads);

  ProblemData data{.map = map,
                   .measured = {},
                   .dofs = to_indices(dofs),
                   .objective = objective,
                   .simulation = simulation_options(tendon, filter_start),
                   .linear_terms = linear_terms};
  for (const LinearTerm& term : linear_terms)
    if (term.n != map.n_component())
      throw InputError("linear_terms",
                       "matrices of " + std::to_string(map.n_component()) + " columns",
                       std::to_string(term.n));
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
  auto problem = std::make_shared<Problem>(backend_named(instruction_set), inputs,
                                           std::make_shared<const CurveTables>(to_curves(tables)),
                                           std::move(data), threads);
  tell_threads(threads, problem->n_task(), problem->n_thread());
  return problem;
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

LevenbergMarquardtOptions levenberg_marquardt_options(const py::object& source) {
  const auto of = attributes_of(source);
  return {of("max_iterations"), of("min_improvement"), of("patience"),
          of("min_gradient"),   of("min_step"),        of("damping")};
}

/// Search with a callback, and without the GIL.
template <class AnyProblem, class Options>
Minimum run(Minimum (*search)(AnyProblem&, const std::vector<double>&, const Options&,
                              const calibration::Progress&),
            AnyProblem& problem, const Array& start, const Options& options,
            const py::object& callback) {
  const std::vector<double> x = point(problem, start);
  const calibration::Progress progress = progress_through(callback);
  const auto use = problem.lock().begin("problem");
  const py::gil_scoped_release release;
  return search(problem, x, options, progress);
}

void bind_optimisers(py::module_& module) {
  module.def(
      "minimise_levenberg_marquardt",
      [](Problem& problem, const Array& start, const py::object& options,
         const py::object& callback) {
        return run(&calibration::minimise_levenberg_marquardt, problem, start,
                   levenberg_marquardt_options(options), callback);
      },
      "problem"_a, "start"_a, py::kw_only(), "options"_a, "callback"_a = py::none(),
      "Minimise from start (n) in [0, 1] by Levenberg-Marquardt; options: an object with the "
      "attributes of model.LevenbergMarquardt; callback(Iteration). Ctrl-C stops and keeps the "
      "best point.");
  module.def(
      "minimise_adamw",
      [](SmoothProblem& problem, const Array& start, const py::object& options,
         const py::object& callback) {
        return run(&calibration::minimise_adamw, problem, start, adamw_options(options), callback);
      },
      "problem"_a, "start"_a, py::kw_only(), "options"_a, "callback"_a = py::none(),
      "The same by AdamW; options: an object with the attributes of model.AdamW.");
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
            const auto use = problem.lock().begin("problem");
            {
              const py::gil_scoped_release release;
              evaluation = problem.gradient(at.data(), out);
            }
            return std::pair(evaluation, gradient);
          },
          "x"_a, "Objective and its gradient (n) at x (n).");
}

void set(double& option, const std::string& name, const py::object& options) {
  option = attribute<double>(options, name);
  check_number(name.c_str(), option);
}
void set(std::vector<terms::Penalty>& option, const std::string& name, const py::object& options) {
  using Row = std::tuple<std::pair<double, double>, double, double, std::vector<std::size_t>>;
  option.clear();
  for (const auto& [range, weight, exponent, mtus] : attribute<std::vector<Row>>(options, name)) {
    if (std::isnan(range.first) || std::isnan(range.second))
      throw InputError(name, "ranges of numbers", "NaN");
    check_number(name.c_str(), weight);
    check_number(name.c_str(), exponent);
    option.push_back({{range.first, range.second}, weight, exponent, mtus});
  }
}
void set(std::vector<terms::Power>& option, const std::string& name, const py::object& options) {
  using Row = std::tuple<double, double, bool, std::vector<std::size_t>>;
  option.clear();
  for (const auto& [weight, exponent, is_of_sum, dofs] :
       attribute<std::vector<Row>>(options, name)) {
    check_number(name.c_str(), weight);
    check_number(name.c_str(), exponent);
    option.push_back({weight, exponent, is_of_sum, dofs});
  }
  if (option.empty()) throw InputError(name, "at least one", "none");
}

/// An objective whose terms have their options from the attributes of a Python object.
template <class AnyObjective>
AnyObjective with_options_of(const py::object& source, AnyObjective objective = {}) {
  terms::for_each_option(objective,
                         [&](const std::string& name, auto& option) { set(option, name, source); });
  return objective;
}

void bind_objectives(py::module_& module) {
  using terms::Normalisation;
  py::class_<terms::Objective>(module, "Objective", "Terms of eq. 4 and preferences.")
      .def(py::init([](const py::object& options) {
             constexpr std::array<std::pair<std::string_view, Normalisation>, 3> words{
                 {{"variance", Normalisation::variance},
                  {"meanSquare", Normalisation::mean_square},
                  {"rmse", Normalisation::rmse}}};
             const auto word = attribute<std::string>(options, "normalisation");
             return with_options_of<terms::Objective>(options,
                                                      {named("normalisation", word, words), {}});
           }),
           "options"_a,
           "options: normalisation, peak_force_weight, moment_powers (weight, exponent, is_of_sum, "
           "dofs) and TERM_penalties (range, weight, exponent, mtus), DOFs by their place among "
           "those that count, MTUs by their index; none for all.");
  py::class_<terms::SynergyObjective>(module, "SynergyObjective", "What eq. 5 adds.")
      .def(py::init([](const py::object& options) {
             return with_options_of<terms::SynergyObjective>(options);
           }),
           "options"_a, "options: an object with the attributes of model.SynergyHybrid.");
}

void bind_parameter_map(py::module_& module) {
  py::class_<ParameterMap>(module, "ParameterMap",
                           "From a point of the unit box to the parameters of every MTU.")
      .def(py::init(&make_parameter_map), py::kw_only(), "start"_a, "lower"_a, "upper"_a, "slot"_a,
           "component"_a)
      .def(
          "values",
          [](const ParameterMap& map, const Array& x) {
            check_shape("x", x, {static_cast<py::ssize_t>(map.n_component())});
            Array values(x.size());
            map.values(x.data(), values.mutable_data());
            return values;
          },
          "x"_a, "Values (n) at x (n) in [0, 1]: those that every engine takes.")
      .def(
          "parameters",
          [](const ParameterMap& map, const Array& values) {
            check_shape("values", values, {static_cast<py::ssize_t>(map.n_component())});
            constexpr std::size_t n_kind = kernel::n_parameter_kind;
            Array parameters = to_array(map.start, n_kind, map.start.size() / n_kind);
            map.place(values.data(), parameters.mutable_data());
            return parameters;
          },
          "values"_a, "Parameters (12, n_mtu) with these values (n).");
}

void bind_problem(py::module_& module) {
  py::class_<LinearTerm>(module, "LinearTerm", "A term |matrix x - offset|^2 of a point x.")
      .def(py::init(&make_linear_term), py::kw_only(), "name"_a, "matrix"_a, "offset"_a)
      .def_readonly("name", &LinearTerm::name)
      .def_property_readonly(
          "matrix",
          [](const LinearTerm& term) { return to_array(term.matrix, term.offset.size(), term.n); })
      .def_property_readonly("offset",
                             [](const LinearTerm& term) { return to_array(term.offset); });
  py::class_<Problem, SmoothProblem, std::shared_ptr<Problem>>(
      module, "Problem",
      "A calibration step on the fused engine. Use it from one thread at a time.")
      .def(py::init(&make_problem), py::kw_only(), "tables"_a, "trials"_a, "measured"_a,
           "variance"_a, "map"_a, "dofs"_a, "objective"_a, "tendon"_a, "filter_start"_a,
           "threads"_a, "instruction_set"_a = "auto", "linear_terms"_a = std::vector<LinearTerm>{},
           "measured: one (n_step, n_dof) [N m] per trial; variance (n_trial, n_dof) [N^2 m^2].")
      .def(
          "evaluate",
          [](Problem& problem, const Array& x) {
            const std::vector<double> at = point(problem, x);
            const auto use = problem.lock().begin("problem");
            const py::gil_scoped_release release;
            return Evaluation(problem.evaluate(at.data()));
          },
          "x"_a, "Objective at x (n) in [0, 1].")
      .def(
          "residuals",
          [](Problem& problem, const Array& x) {
            const std::vector<double> at = point(problem, x);
            std::vector<double> residual;
            std::vector<double> jacobian;
            const auto use = problem.lock().begin("problem");
            {
              const py::gil_scoped_release release;
              problem.residuals(at.data(), residual, jacobian);
            }
            return std::pair(to_array(residual),
                             to_array(jacobian, residual.size(), problem.n_component()));
          },
          "x"_a,
          "Residuals (n_row), whose squares sum to the objective (but for roots), and their "
          "derivatives "
          "(n_row, n); penalties have rows only where they are not zero.")
      .def(
          "normal_equations",
          [](Problem& problem, const Array& x) {
            const std::vector<double> at = point(problem, x);
            Array gradient(x.size());
            Array matrix({x.size(), x.size()});
            double* by_x = gradient.mutable_data();
            double* products = matrix.mutable_data();
            const auto use = problem.lock().begin("problem");
            {
              const py::gil_scoped_release release;
              problem.normal_equations(at.data(), by_x, products);
              const std::size_t n = at.size();
              for (std::size_t i = 0; i < n; ++i)
                for (std::size_t j = i + 1; j < n; ++j) products[j * n + i] = products[i * n + j];
            }
            return std::pair(gradient, matrix);
          },
          "x"_a,
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
  bind_objectives(module);
  bind_parameter_map(module);
  bind_problem(module);
  bind_optimisers(module);
}

}  // namespace ceinms_torch::bindings
