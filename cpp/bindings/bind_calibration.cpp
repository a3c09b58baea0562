/// Calibration for Python: the problems and their terms.

#include "bind_torch.hpp"
#include "ceinms_torch/tensor/hybrid_problem.hpp"
#include "names.hpp"

#include <string>
#include <utility>

namespace ceinms_torch::bindings {
namespace {

using kernel::HybridOptions;
using kernel::ObjectiveOptions;
using kernel::RangePenalty;
using tensor::Evaluation;
using tensor::HybridProblem;
using tensor::LinearTerm;
using tensor::ParameterMap;
using tensor::Problem;
using tensor::Target;
using tensor::Term;

void bind_parts(py::module_& module) {
  py::class_<RangePenalty>(module, "RangePenalty", py::module_local(),
                           "weight * distance^2 outside a range.")
      .def(py::init<double, double, double>(), py::arg("lowest"), py::arg("highest"),
           py::arg("weight"));
  py::class_<ObjectiveOptions>(module, "ObjectiveOptions", py::module_local(),
                               "Normalisation and penalties of eq. 4, weight of the peak force.")
      .def(py::init(&objective_options), py::kw_only(), py::arg("normalisation"),
           py::arg("fibre_length"), py::arg("tendon_strain"), py::arg("peak_force_weight"));
  py::class_<LinearTerm>(module, "LinearTerm", "A term |matrix x - offset|^2 of a point x.")
      .def(py::init<std::string, at::Tensor, at::Tensor>(), py::kw_only(), py::arg("name"),
           py::arg("matrix"), py::arg("offset"));
  py::class_<Target>(module, "Target", "Measured moments and which DOFs count.")
      .def(py::init<at::Tensor, at::Tensor, at::Tensor>(), py::kw_only(),
           py::arg("measured_moment"), py::arg("variance"), py::arg("dofs"))
      .def_readonly("measured_moment", &Target::measured_moment);
  py::class_<ParameterMap>(module, "ParameterMap", "From the unit box to MTU parameters.")
      .def(py::init<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>(), py::kw_only(),
           py::arg("start"), py::arg("lower"), py::arg("upper"), py::arg("slot"),
           py::arg("component"))
      .def("parameters", &ParameterMap::parameters, py::arg("x"),
           "x (n) in [0, 1] -> (n_kind, n_mtu); differentiable.");
}

void bind_problem(py::module_& module) {
  py::class_<Term>(module, "Term", "One term of the objective; its value is sum(residuals ** 2).")
      .def_readonly("name", &Term::name)
      .def_readonly("residuals", &Term::residuals);
  py::class_<Evaluation>(module, "Evaluation", "The objective at one point, term by term.")
      .def_readonly("terms", &Evaluation::terms)
      .def_readonly("rmse", &Evaluation::rmse)
      .def("objective", &Evaluation::objective, "Sum of all squared residuals; differentiable.");
  py::class_<Problem>(module, "Problem", "A calibration step as an optimiser sees it.")
      .def(py::init([](tensor::Curves curves, tensor::TrialBatch batch, Target target,
                       ParameterMap map, ObjectiveOptions objective, const std::string& tendon,
                       const std::string& filter_start, std::vector<LinearTerm> linear_terms) {
             Problem problem{
                 std::move(curves),      std::move(batch), std::move(target),
                 std::move(map),         objective,        simulation_options(tendon, filter_start),
                 std::move(linear_terms)};
             problem.check();
             return problem;
           }),
           py::kw_only(), py::arg("curves"), py::arg("batch"), py::arg("target"), py::arg("map"),
           py::arg("objective"), py::arg("tendon"), py::arg("filter_start"),
           py::arg("linear_terms") = std::vector<LinearTerm>{})
      .def(
          "evaluate",
          [](const Problem& problem, const at::Tensor& x) {
            problem.check_point(x);
            return problem.evaluate(x);
          },
          py::arg("x"), py::call_guard<py::gil_scoped_release>(),
          "Objective and its terms at x (n) in [0, 1]; differentiable.")
      .def(
          "measure",
          [](const Problem& problem, const at::Tensor& x, const tensor::Simulation& simulation) {
            problem.check_point(x);
            tensor::check_shape("joint_moment", simulation.joint_moment,
                                problem.target.measured_moment.sizes());
            return problem.measure(x, simulation);
          },
          py::arg("x"), py::arg("simulation"), py::call_guard<py::gil_scoped_release>(),
          "The same for a simulation of batch with the parameters of x, by either engine.")
      .def_readonly("batch", &Problem::batch)
      .def_readonly("target", &Problem::target)
      .def_readonly("map", &Problem::map);
}

void bind_hybrid_problem(py::module_& module) {
  py::class_<HybridOptions>(module, "HybridOptions", py::module_local(),
                            "Weights of what eq. 5 adds.")
      .def(py::init(&hybrid_options), py::kw_only(), py::arg("excitation_weight"),
           py::arg("synthesised_weight"), py::arg("bounds_weight"), py::arg("smoothness_weight"));
  py::class_<HybridProblem>(module, "HybridProblem",
                            "A calibration step whose unrecorded excitations are sums of "
                            "synergies (eq. 5). A point is laid out as in _kernel.HybridProblem.")
      .def(py::init([](Problem problem, std::int64_t n_synergy, at::Tensor synthesised,
                       std::vector<at::Tensor> recorded, std::vector<at::Tensor> interpolation,
                       std::vector<at::Tensor> interval, bool shared_weightings, bool exact_bounds,
                       const HybridOptions& options) {
             HybridProblem hybrid{std::move(problem),
                                  n_synergy,
                                  std::move(synthesised),
                                  std::move(recorded),
                                  std::move(interpolation),
                                  std::move(interval),
                                  shared_weightings,
                                  exact_bounds,
                                  options};
             hybrid.check();
             return hybrid;
           }),
           py::kw_only(), py::arg("problem"), py::arg("n_synergy"), py::arg("synthesised"),
           py::arg("recorded"), py::arg("interpolation"), py::arg("interval"),
           py::arg("shared_weightings"), py::arg("exact_bounds"), py::arg("options"))
      .def_property_readonly("n_component", &HybridProblem::n_component)
      .def(
          "evaluate",
          [](const HybridProblem& problem, const at::Tensor& x) {
            problem.check_point(x);
            return problem.evaluate(x);
          },
          py::arg("x"), py::call_guard<py::gil_scoped_release>(),
          "Objective and its terms at x (n); differentiable.");
}

}  // namespace

void bind_calibration(py::module_& module) {
  bind_parts(module);
  bind_problem(module);
  bind_hybrid_problem(module);
}

}  // namespace ceinms_torch::bindings
