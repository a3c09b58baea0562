/// A trial as a function of its excitations, for Python.

#include "bind_kernel.hpp"
#include "ceinms_torch/engine/excitation_problem.hpp"
#include "names.hpp"
#include "threads.hpp"
#include "trial.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace ceinms_torch::bindings {
namespace {

using engine::ExcitationProblem;
std::unique_ptr<ExcitationProblem> make_problem(const Tables& tables, const Array& parameters,
                                                const Trial& trial, const std::string& tendon,
                                                const std::string& filter_start,
                                                const Array& measured, const Indices& searched,
                                                const Indices& dofs, std::size_t threads) {
  check_parameters(parameters, trial.n_mtu());
  trial.check_measured(measured);
  check_threads(threads);
  auto problem = std::make_unique<ExcitationProblem>(
      *engine::backends().front(), trial.input(),
      std::make_shared<const engine::CurveTables>(to_curves(tables)),
      engine::ExcitationTarget{to_vector(parameters), to_vector(measured),
                               to_indices("searched", searched, trial.n_mtu()),
                               to_indices("dofs", dofs, trial.n_dof()),
                               simulation_options(tendon, filter_start)},
      threads);
  tell_threads(threads, problem->n_block(), problem->n_thread());
  return problem;
}

void check_point(const ExcitationProblem& problem, const Array& x) {
  check_shape(
      "x", x,
      {static_cast<py::ssize_t>(problem.n_step()), static_cast<py::ssize_t>(problem.n_searched())});
  check_finite("x", x);
}

py::typing::Tuple<Array, Array> square_errors(ExcitationProblem& problem, const Array& x) {
  check_point(problem, x);
  Array gradient({x.shape(0), x.shape(1)});
  Array sums(static_cast<py::ssize_t>(problem.n_counted()));
  double* by_x = gradient.mutable_data();
  double* out = sums.mutable_data();
  const auto use = problem.lock().begin("problem");
  {
    const py::gil_scoped_release release;
    const std::vector<double>& found = problem.square_errors(x.data(), by_x);
    std::copy(found.begin(), found.end(), out);
  }
  return py::make_tuple(sums, gradient);
}

SimulatedArrays simulate(ExcitationProblem& problem, const Array& x) {
  check_point(problem, x);
  SimulatedArrays result;
  const kernel::TrialOutput out =
      allocate_simulation(problem.n_step(), problem.n_mtu(), problem.n_dof(), result);
  const auto use = problem.lock().begin("problem");
  {
    const py::gil_scoped_release release;
    problem.simulate(x.data(), out);
  }
  return result;
}

}  // namespace

void bind_excitation(py::module_& module) {
  py::class_<ExcitationProblem>(module, "ExcitationProblem",
                                "A trial as a function of the excitations of some MTUs, as they "
                                "act at the steps. Use it from one thread at a time.")
      .def(py::init(&make_problem), py::kw_only(), "tables"_a, "parameters"_a, "trial"_a,
           "tendon"_a, "filter_start"_a, "measured"_a, "searched"_a, "dofs"_a, "threads"_a = 1)
      .def_property_readonly(
          "recorded",
          [](const ExcitationProblem& problem) {
            return to_array(problem.recorded(), problem.n_step(), problem.n_mtu());
          },
          "Excitations as recorded, as they act at the steps (n_step, n_mtu).")
      .def("square_errors", &square_errors, "x"_a,
           "Sums of the squared moment errors of each DOF that counts [N^2 m^2] at x (n_step, "
           "n_searched), and the gradient of their sum.")
      .def("simulate", &simulate, "x"_a, "What simulate returns, at x (n_step, n_searched).");
}

}  // namespace ceinms_torch::bindings
