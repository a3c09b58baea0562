/// Calibration for Python: the problems and their terms.

#include "bind_torch.hpp"
#include "ceinms_torch/tensor/synergy_problem.hpp"

#include <string>
#include <utility>

namespace ceinms_torch::bindings {
namespace {

using calibration::LinearTerm;
using kernel::ParameterMap;
using tensor::Evaluation;
using tensor::Problem;
using tensor::SynergyProblem;
using tensor::Target;
using tensor::Term;

void bind_parts(py::module_& module) {
  py::class_<Target>(module, "Target", "Measured moments and which DOFs count.")
      .def(py::init<at::Tensor, at::Tensor, at::Tensor>(), py::kw_only(), "measured_moment"_a,
           "variance"_a, "dofs"_a)
      .def_readonly("measured_moment", &Target::measured_moment);
}

void bind_problem(py::module_& module) {
  py::class_<Term>(module, "Term", "One term of the objective, a scalar with a graph.")
      .def_readonly("name", &Term::name)
      .def_readonly("value", &Term::value);
  py::class_<Evaluation>(module, "Evaluation", "The objective at one point, term by term.")
      .def_readonly("terms", &Evaluation::terms)
      .def_readonly("rmse", &Evaluation::rmse)
      .def("objective", &Evaluation::objective, "Sum of all terms; differentiable.");
  py::class_<Problem>(module, "Problem", "A calibration step as an optimiser sees it.")
      .def(py::init([](tensor::Curves curves, tensor::TrialBatch batch, Target target,
                       ParameterMap map, const terms::Objective& objective,
                       const std::string& tendon, const std::string& filter_start,
                       std::vector<LinearTerm> linear_terms, const std::string& stepping) {
             Problem problem{std::move(curves),
                             std::move(batch),
                             std::move(target),
                             std::move(map),
                             objective,
                             simulation_options(tendon, filter_start),
                             std::move(linear_terms),
                             stepping_named(stepping)};
             problem.check();
             return problem;
           }),
           py::kw_only(), "curves"_a, "batch"_a, "target"_a, "map"_a, "objective"_a, "tendon"_a,
           "filter_start"_a, "linear_terms"_a = std::vector<LinearTerm>{},
           "stepping"_a = "automatic")
      .def(
          "evaluate",
          [](const Problem& problem, const at::Tensor& x) {
            problem.check_point(x);
            return problem.evaluate(x);
          },
          "x"_a, py::call_guard<py::gil_scoped_release>(),
          "Objective and its terms at x (n) in [0, 1]; differentiable.")
      .def(
          "measure",
          [](const Problem& problem, const at::Tensor& x, const tensor::Simulation& simulation) {
            problem.check_point(x);
            tensor::check_shape("joint_moment", simulation.joint_moment,
                                problem.target.measured_moment.sizes());
            return problem.measure(x, simulation);
          },
          "x"_a, "simulation"_a, py::call_guard<py::gil_scoped_release>(),
          "The same for a simulation of batch with the parameters of x, by either engine.")
      .def_property_readonly("term_names", &Problem::term_names)
      .def_readonly("batch", &Problem::batch)
      .def_readonly("target", &Problem::target)
      .def(
          "parameters",
          [](const Problem& problem, const at::Tensor& x) {
            problem.check_point(x);
            return problem.parameters(x);
          },
          "x"_a, "x (n) in [0, 1] -> (12, n_mtu); differentiable.");
}

void bind_synergy_problem(py::module_& module) {
  py::class_<SynergyProblem>(module, "SynergyProblem",
                             "A calibration step whose unrecorded excitations are sums of "
                             "synergies (eq. 5). A point is laid out as in _kernel.SynergyProblem.")
      .def(py::init<Problem, calibration::SynergyData>(), py::kw_only(), "problem"_a, "synergies"_a)
      .def_property_readonly("n_component", &SynergyProblem::n_component)
      .def_property_readonly("term_names", &SynergyProblem::term_names)
      .def(
          "evaluate",
          [](const SynergyProblem& problem, const at::Tensor& x) {
            problem.check_point(x);
            return problem.evaluate(x);
          },
          "x"_a, py::call_guard<py::gil_scoped_release>(),
          "Objective and its terms at x (n); differentiable.");
}

}  // namespace

void bind_calibration(py::module_& module) {
  bind_parts(module);
  bind_problem(module);
  bind_synergy_problem(module);
}

}  // namespace ceinms_torch::bindings
