/// Open-loop execution for Python.

#include "arrays.hpp"
#include "bind_kernel.hpp"
#include "ceinms_torch/kernel/trial.hpp"
#include "names.hpp"

#include <array>
#include <string>

namespace ceinms_torch::bindings {
namespace {

py::typing::Dict<py::str, Array> simulate(const std::array<TableArrays, 4>& tables,
                                          const Array& parameters, const Array& time,
                                          const Array& mtu_length, const Array& mtu_velocity,
                                          const Array& moment_arm, const Array& excitation,
                                          double excitation_start, double excitation_rate,
                                          const std::string& tendon,
                                          const std::string& filter_start) {
  if (mtu_length.ndim() != 2 || mtu_length.size() == 0)
    throw std::invalid_argument("mtu_length: expected shape (n_step, n_mtu), not empty.");
  if (moment_arm.ndim() != 3)
    throw std::invalid_argument("moment_arm: expected shape (n_step, n_dof, n_mtu).");
  if (excitation.ndim() != 2 || excitation.size() == 0)
    throw std::invalid_argument("excitation: expected shape (n_row, n_mtu), not empty.");
  const py::ssize_t n_step = mtu_length.shape(0);
  const py::ssize_t n_mtu = mtu_length.shape(1);
  const py::ssize_t n_dof = moment_arm.shape(1);
  check_shape("parameters", parameters,
              {static_cast<py::ssize_t>(kernel::n_parameter_kind), n_mtu});
  check_shape("time", time, {n_step});
  check_shape("mtu_velocity", mtu_velocity, {n_step, n_mtu});
  check_shape("moment_arm", moment_arm, {n_step, n_dof, n_mtu});
  check_shape("excitation", excitation, {excitation.shape(0), n_mtu});
  check_finite("parameters", parameters);
  check_finite("time", time);
  check_finite("mtu_length", mtu_length);
  check_finite("mtu_velocity", mtu_velocity);
  check_finite("moment_arm", moment_arm);
  check_finite("excitation", excitation);
  check_increasing("time", time);
  check_number("excitation_start", excitation_start);
  check_positive("excitation_rate", excitation_rate);
  // The damped equilibrium has no derivatives, so that the engines with gradients do not know it.
  const bool is_damped = tendon == "dampedEquilibrium";
  const kernel::SimulationOptions options =
      simulation_options(is_damped ? "rosenbrock" : tendon, filter_start);

  const kernel::MtuCurves<kernel::PiecewiseCubic> curves{to_table(tables[0]), to_table(tables[1]),
                                                         to_table(tables[2]), to_table(tables[3])};
  py::typing::Dict<py::str, Array> result;
  const auto output = [&](const char* name, py::ssize_t n_column) {
    Array array({n_step, n_column});
    result[name] = array;
    return array.mutable_data();
  };
  const kernel::TrialOutput out{.activation = output("activation", n_mtu),
                                .fibre_length = output("fibre_length", n_mtu),
                                .fibre_velocity = output("fibre_velocity", n_mtu),
                                .pennation_angle = output("pennation_angle", n_mtu),
                                .tendon_strain = output("tendon_strain", n_mtu),
                                .mtu_force = output("mtu_force", n_mtu),
                                .joint_moment = output("joint_moment", n_dof)};
  const kernel::TrialInput in{.n_step = static_cast<std::size_t>(n_step),
                              .n_row = static_cast<std::size_t>(excitation.shape(0)),
                              .n_mtu = static_cast<std::size_t>(n_mtu),
                              .n_dof = static_cast<std::size_t>(n_dof),
                              .time = time.data(),
                              .mtu_length = mtu_length.data(),
                              .mtu_velocity = mtu_velocity.data(),
                              .moment_arm = moment_arm.data(),
                              .excitation = excitation.data(),
                              .excitation_start = excitation_start,
                              .excitation_rate = excitation_rate};
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
  module.def("simulate", &simulate, py::kw_only(), py::arg("tables"), py::arg("parameters"),
             py::arg("time"), py::arg("mtu_length"), py::arg("mtu_velocity"), py::arg("moment_arm"),
             py::arg("excitation"), py::arg("excitation_start"), py::arg("excitation_rate"),
             py::arg("tendon"), py::arg("filter_start"),
             R"(Simulate one trial in double precision.

Parameters: tables, four (knots, pieces) in the order active, passive, force-velocity, tendon;
parameters (12, n_mtu); time (n_step) [s]; mtu_length, mtu_velocity (n_step, n_mtu) [m], [m/s];
moment_arm (n_step, n_dof, n_mtu) [m]; excitation (n_row, n_mtu); excitation_start [s];
excitation_rate [Hz]; tendon 'stiff', 'rosenbrock' or 'dampedEquilibrium'; filter_start 'zero' or
'ceinms'.

Returns a dict of arrays, NaN from where a damped equilibrium is not found: activation,
fibre_length [m], fibre_velocity [m/s],
pennation_angle [rad], tendon_strain, mtu_force [N] (n_step, n_mtu) and joint_moment
(n_step, n_dof) [N m]. Raises ValueError where shapes do not fit together, a number is not finite,
time does not increase or the rate is not positive.)");
}

}  // namespace ceinms_torch::bindings
