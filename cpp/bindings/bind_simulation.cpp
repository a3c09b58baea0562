/// Open-loop execution for Python.

#include "arrays.hpp"
#include "bind_kernel.hpp"
#include "ceinms_torch/kernel/trial.hpp"
#include "names.hpp"
#include "trial.hpp"

#include <string>
#include <vector>

namespace ceinms_torch::bindings {
namespace {

SimulatedArrays simulate(const Tables& tables, const Array& parameters, const Trial& trial,
                         const std::string& tendon, const std::string& filter_start) {
  check_parameters(parameters, trial.n_mtu());
  // The damped equilibrium has no derivatives, so that the engines with gradients do not know it.
  const bool is_damped = tendon == "dampedEquilibrium";
  const kernel::SimulationOptions options =
      simulation_options(is_damped ? "rosenbrock" : tendon, filter_start);
  const kernel::MtuCurves<kernel::PiecewiseCubic> curves = to_curves(tables);
  const kernel::TrialInput in = trial.input();
  SimulatedArrays result;
  const kernel::TrialOutput out = allocate_simulation(in.n_step, in.n_mtu, in.n_dof, result);
  {
    // Safe: every array is held by this frame and nothing below touches Python.
    const py::gil_scoped_release release;
    if (is_damped)
      kernel::simulate_trial_damped(curves, parameters.data(), in, options.filter_start, out);
    else
      kernel::simulate_trial(curves, parameters.data(), in, options, out);
  }
  return result;
}

}  // namespace

void bind_simulation(py::module_& module) {
  module.def(
      "parameter_kinds",
      [] {
        return std::vector<std::string>(kernel::parameter_names.begin(),
                                        kernel::parameter_names.end());
      },
      "Rows of every parameter matrix (n_kind, n_mtu), by the names of their attributes.");
  py::class_<Trial>(module, "Trial", R"(One trial, as every engine here takes it.

Parameters: time (n_step) [s]; mtu_length, mtu_velocity (n_step, n_mtu) [m], [m/s]; moment_arm
(n_step, n_dof, n_mtu) [m]; excitation (n_row, n_mtu), without delay; excitation_start [s];
excitation_rate [Hz]. Raises DataError where shapes do not fit together, a number is not finite,
time does not increase or the rate is not positive. The arrays must not change afterwards.)")
      .def(py::init<Array, Array, Array, Array, Array, double, double>(), py::kw_only(), "time"_a,
           "mtu_length"_a, "mtu_velocity"_a, "moment_arm"_a, "excitation"_a, "excitation_start"_a,
           "excitation_rate"_a);
  module.def("simulate", &simulate, py::kw_only(), "tables"_a, "parameters"_a, "trial"_a,
             "tendon"_a, "filter_start"_a,
             R"(Simulate one trial in double precision.

Parameters: tables, four (knots, pieces) in the order active, passive, force-velocity, tendon;
parameters (n_kind, n_mtu); tendon 'stiff', 'rosenbrock' or 'dampedEquilibrium'; filter_start 'zero'
or 'ceinms'.

Returns a dict of arrays, NaN from where a damped equilibrium is not found: activation,
fibre_length [m], fibre_velocity [m/s],
pennation_angle [rad], tendon_strain, mtu_force [N] (n_step, n_mtu) and joint_moment
(n_step, n_dof) [N m].)");
}

}  // namespace ceinms_torch::bindings
