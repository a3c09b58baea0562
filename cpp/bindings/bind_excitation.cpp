/// A trial as a function of its excitations, for Python.

#include "bind_kernel.hpp"
#include "ceinms_torch/engine/excitation_problem.hpp"
#include "names.hpp"
#include "simulated_trial.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace ceinms_torch::bindings {
namespace {

using engine::ExcitationProblem;
std::unique_ptr<ExcitationProblem> make_problem(
    const std::array<TableArrays, 4>& tables, const Array& parameters, const Array& time,
    const Array& mtu_length, const Array& mtu_velocity, const Array& moment_arm,
    const Array& excitation, double excitation_start, double excitation_rate,
    const std::string& tendon, const std::string& filter_start, const Array& measured,
    const Indices& searched, const Indices& dofs, std::size_t threads) {
  const SimulatedTrial trial{time,       mtu_length,       mtu_velocity,   moment_arm,
                             excitation, excitation_start, excitation_rate};
  const kernel::TrialInput in = trial.checked(parameters);
  check_shape("measured", measured, {time.size(), static_cast<py::ssize_t>(in.n_dof)});
  check_finite("measured", measured);
  if (threads == 0) throw std::invalid_argument("threads: expected at least 1, got 0.");
  auto curves =
      std::make_shared<const engine::CurveTables>(kernel::MtuCurves<kernel::PiecewiseCubic>{
          to_table(tables[0]), to_table(tables[1]), to_table(tables[2]), to_table(tables[3])});
  return std::make_unique<ExcitationProblem>(
      *engine::backends().front(), in, std::move(curves),
      engine::ExcitationTarget{{parameters.data(), parameters.data() + parameters.size()},
                               {measured.data(), measured.data() + measured.size()},
                               to_indices("searched", searched, static_cast<py::ssize_t>(in.n_mtu)),
                               to_indices("dofs", dofs, static_cast<py::ssize_t>(in.n_dof)),
                               simulation_options(tendon, filter_start)},
      threads);
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
      .def(py::init(&make_problem), py::kw_only(), py::arg("tables"), py::arg("parameters"),
           py::arg("time"), py::arg("mtu_length"), py::arg("mtu_velocity"), py::arg("moment_arm"),
           py::arg("excitation"), py::arg("excitation_start"), py::arg("excitation_rate"),
           py::arg("tendon"), py::arg("filter_start"), py::arg("measured"), py::arg("searched"),
           py::arg("dofs"), py::arg("threads") = 1)
      .def_property_readonly(
          "recorded",
          [](const ExcitationProblem& problem) {
            Array array({problem.n_step(), problem.n_mtu()});
            std::copy(problem.recorded().begin(), problem.recorded().end(), array.mutable_data());
            return array;
          },
          "Excitations as recorded, as they act at the steps (n_step, n_mtu).")
      .def("square_errors", &square_errors, py::arg("x"),
           "Sums of the squared moment errors of each DOF that counts [N^2 m^2] at x (n_step, "
           "n_searched), and the gradient of their sum.")
      .def("simulate", &simulate, py::arg("x"),
           "What simulate returns, at x (n_step, n_searched).");
}

}  // namespace ceinms_torch::bindings
