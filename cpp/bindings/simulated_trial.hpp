/// One trial's arrays as Python gives them.
#pragma once

#include "arrays.hpp"
#include "ceinms_torch/kernel/trial.hpp"

#include <cstddef>
#include <stdexcept>

namespace ceinms_torch::bindings {

struct SimulatedTrial {
  Array time, mtu_length, mtu_velocity, moment_arm, excitation;
  double excitation_start;
  double excitation_rate;

  /// What the engines take, valid while the arrays live.
  ///
  /// @throws std::invalid_argument (ValueError) if a shape or a number is not as it should be
  kernel::TrialInput checked(const Array& parameters) const {
    if (mtu_length.ndim() != 2 || mtu_length.size() == 0)
      throw std::invalid_argument("mtu_length: expected shape (n_step, n_mtu), not empty.");
    if (moment_arm.ndim() != 3)
      throw std::invalid_argument("moment_arm: expected shape (n_step, n_dof, n_mtu).");
    if (excitation.ndim() != 2 || excitation.size() == 0)
      throw std::invalid_argument("excitation: expected shape (n_row, n_mtu), not empty.");
    const py::ssize_t n_mtu = mtu_length.shape(1);
    check_shape("parameters", parameters,
                {static_cast<py::ssize_t>(kernel::n_parameter_kind), n_mtu});
    check_finite("parameters", parameters);
    return of_size(mtu_length.shape(0), n_mtu, moment_arm.shape(1));
  }

  /// The same where the numbers of steps, MTUs and DOFs are known; excitation has two dimensions.
  kernel::TrialInput of_size(py::ssize_t n_step, py::ssize_t n_mtu, py::ssize_t n_dof) const {
    check_shape("time", time, {n_step});
    check_shape("mtu_length", mtu_length, {n_step, n_mtu});
    check_shape("mtu_velocity", mtu_velocity, {n_step, n_mtu});
    check_shape("moment_arm", moment_arm, {n_step, n_dof, n_mtu});
    check_shape("excitation", excitation, {excitation.shape(0), n_mtu});
    check_finite("time", time);
    check_finite("mtu_length", mtu_length);
    check_finite("mtu_velocity", mtu_velocity);
    check_finite("moment_arm", moment_arm);
    check_finite("excitation", excitation);
    check_increasing("time", time);
    check_number("excitation_start", excitation_start);
    check_positive("excitation_rate", excitation_rate);
    return {.n_step = static_cast<std::size_t>(n_step),
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
  }
};

using SimulatedArrays = py::typing::Dict<py::str, Array>;

/// New arrays in `result`, and where they are.
inline kernel::TrialOutput allocate_simulation(std::size_t n_step, std::size_t n_mtu,
                                               std::size_t n_dof, SimulatedArrays& result) {
  const auto output = [&](const char* name, std::size_t n_column) {
    Array array({n_step, n_column});
    result[name] = array;
    return array.mutable_data();
  };
  return {.activation = output("activation", n_mtu),
          .fibre_length = output("fibre_length", n_mtu),
          .fibre_velocity = output("fibre_velocity", n_mtu),
          .pennation_angle = output("pennation_angle", n_mtu),
          .tendon_strain = output("tendon_strain", n_mtu),
          .mtu_force = output("mtu_force", n_mtu),
          .joint_moment = output("joint_moment", n_dof)};
}

}  // namespace ceinms_torch::bindings
