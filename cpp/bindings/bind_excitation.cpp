/// A trial as a function of its excitations, for Python.

#include "bind_kernel.hpp"
#include "callback.hpp"
#include "ceinms_torch/engine/excitation_problem.hpp"
#include "ceinms_torch/excitations/trial_search.hpp"
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

void check_point(const ExcitationProblem& problem, const char* name, const Array& x) {
  check_shape(
      name, x,
      {static_cast<py::ssize_t>(problem.n_step()), static_cast<py::ssize_t>(problem.n_searched())});
  check_finite(name, x);
}

py::typing::Tuple<Array, Array> square_errors(ExcitationProblem& problem, const Array& x) {
  check_point(problem, "x", x);
  Array gradient({x.shape(0), x.shape(1)});
  Array sums(static_cast<py::ssize_t>(problem.n_counted()));
  double* by_x = gradient.mutable_data();
  double* out = sums.mutable_data();
  const auto use = problem.lock().begin("problem");
  {
    const py::gil_scoped_release release;
    const std::vector<double> found = problem.square_errors(x.data(), by_x);
    std::copy(found.begin(), found.end(), out);
  }
  return py::make_tuple(sums, gradient);
}

calibration::Minimum minimise(ExcitationProblem& problem, const Array& start, double beta,
                              double gamma, std::size_t n_adjusted, const Array& recorded,
                              double effort_of_others, double tolerance, int max_iterations,
                              const py::object& callback) {
  check_point(problem, "start", start);
  check_point(problem, "recorded", recorded);
  check_number("beta", beta);
  check_number("gamma", gamma);
  check_number("effort_of_others", effort_of_others);
  check_positive("tolerance", tolerance);
  if (beta < 0.0) throw InputError("beta", "a number >= 0", kernel::number_text(beta));
  if (gamma < 0.0) throw InputError("gamma", "a number >= 0", kernel::number_text(gamma));
  if (n_adjusted > problem.n_searched())
    throw InputError("n_adjusted", "at most " + std::to_string(problem.n_searched()),
                     std::to_string(n_adjusted));
  const excitations::TrialObjective objective{beta, gamma, n_adjusted, to_vector(recorded),
                                              effort_of_others};
  const auto progress = progress_through(callback);
  const auto use = problem.lock().begin("problem");
  const std::vector<double> from = to_vector(start);
  const py::gil_scoped_release release;
  return excitations::search_trial(problem, objective, from, {max_iterations, tolerance}, progress);
}

SimulatedArrays simulate(ExcitationProblem& problem, const Array& x) {
  check_point(problem, "x", x);
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
      .def("minimise", &minimise, py::kw_only(), "start"_a, "beta"_a, "gamma"_a, "n_adjusted"_a,
           "recorded"_a, "effort_of_others"_a, "tolerance"_a, "max_iterations"_a, "callback"_a,
           R"(Search the excitations (n_step, n_searched) that explain the moments.

Minimises sum |moment error|^2 + beta (sum e^2 + effort_of_others) + gamma sum |e - recorded|, the
last sum over the first n_adjusted MTUs, until a share `tolerance` of it may be left.)")
      .def("simulate", &simulate, "x"_a, "What simulate returns, at x (n_step, n_searched).");
}

}  // namespace ceinms_torch::bindings
