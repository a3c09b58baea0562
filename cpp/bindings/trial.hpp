/// One trial's arrays as every binding takes them, and what a simulation of them returns.
#pragma once

#include "arrays.hpp"
#include "ceinms_torch/kernel/trial.hpp"

#include <cstddef>
#include <utility>

namespace ceinms_torch::bindings {

/// Checked once, when it is made.
class Trial {
 public:
  /// @throws InputError if a shape or a number is not as it should be
  Trial(Array time, Array mtu_length, Array mtu_velocity, Array moment_arm, Array excitation,
        double excitation_start, double excitation_rate)
      : time_(std::move(time)),
        mtu_length_(std::move(mtu_length)),
        mtu_velocity_(std::move(mtu_velocity)),
        moment_arm_(std::move(moment_arm)),
        excitation_(std::move(excitation)) {
    if (mtu_length_.ndim() != 2 || mtu_length_.size() == 0)
      throw InputError("mtu_length", "shape (n_step, n_mtu), not empty", shape_of(mtu_length_));
    if (moment_arm_.ndim() != 3)
      throw InputError("moment_arm", "shape (n_step, n_dof, n_mtu)", shape_of(moment_arm_));
    if (excitation_.ndim() != 2 || excitation_.size() == 0)
      throw InputError("excitation", "shape (n_row, n_mtu), not empty", shape_of(excitation_));
    const py::ssize_t n_step = mtu_length_.shape(0), n_mtu = mtu_length_.shape(1);
    check_shape("time", time_, {n_step});
    check_shape("mtu_velocity", mtu_velocity_, {n_step, n_mtu});
    check_shape("moment_arm", moment_arm_, {n_step, moment_arm_.shape(1), n_mtu});
    check_shape("excitation", excitation_, {excitation_.shape(0), n_mtu});
    check_finite("time", time_);
    check_finite("mtu_length", mtu_length_);
    check_finite("mtu_velocity", mtu_velocity_);
    check_finite("moment_arm", moment_arm_);
    check_finite("excitation", excitation_);
    check_increasing("time", time_);
    check_number("excitation_start", excitation_start);
    check_positive("excitation_rate", excitation_rate);
    input_ = {.n_step = static_cast<std::size_t>(n_step),
              .n_row = static_cast<std::size_t>(excitation_.shape(0)),
              .n_mtu = static_cast<std::size_t>(n_mtu),
              .n_dof = static_cast<std::size_t>(moment_arm_.shape(1)),
              .time = time_.data(),
              .mtu_length = mtu_length_.data(),
              .mtu_velocity = mtu_velocity_.data(),
              .moment_arm = moment_arm_.data(),
              .excitation = excitation_.data(),
              .excitation_start = excitation_start,
              .excitation_rate = excitation_rate};
  }

  py::ssize_t n_step() const { return static_cast<py::ssize_t>(input_.n_step); }
  py::ssize_t n_mtu() const { return static_cast<py::ssize_t>(input_.n_mtu); }
  py::ssize_t n_dof() const { return static_cast<py::ssize_t>(input_.n_dof); }

  /// What the engines take, valid while the trial lives.
  const kernel::TrialInput& input() const { return input_; }

  /// @throws InputError unless measured joint moments are numbers at every step, (n_step, n_dof)
  void check_measured(const Array& measured) const {
    check_shape("measured", measured, {n_step(), n_dof()});
    check_finite("measured", measured);
  }

 private:
  Array time_, mtu_length_, mtu_velocity_, moment_arm_, excitation_;
  kernel::TrialInput input_{};  ///< sizes as they were checked, whatever shapes Python gives later
};

using SimulatedArrays = py::typing::Dict<py::str, Array>;

/// A new array in `result`, and where it is.
inline double* new_table(py::dict& result, const char* name, std::size_t n_row,
                         std::size_t n_column) {
  Array array({n_row, n_column});
  result[name] = array;
  return array.mutable_data();
}

inline kernel::TrialOutput allocate_simulation(std::size_t n_step, std::size_t n_mtu,
                                               std::size_t n_dof, py::dict& result) {
  const auto of_mtus = [&](const char* name) { return new_table(result, name, n_step, n_mtu); };
  return {.activation = of_mtus("activation"),
          .fibre_length = of_mtus("fibre_length"),
          .fibre_velocity = of_mtus("fibre_velocity"),
          .pennation_angle = of_mtus("pennation_angle"),
          .tendon_strain = of_mtus("tendon_strain"),
          .mtu_force = of_mtus("mtu_force"),
          .joint_moment = new_table(result, "joint_moment", n_step, n_dof)};
}

}  // namespace ceinms_torch::bindings
