/// What the bindings of the legacy layer share: its trials, curves and hooks.
#pragma once

#include "arrays.hpp"
#include "callback.hpp"
#include "ceinms_torch/legacy/trial.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ceinms_torch::bindings {

inline legacy::Curves legacy_curves(const std::array<TableArrays, 4>& tables) {
  return {to_table(tables[0]), to_table(tables[1]), to_table(tables[2]), to_table(tables[3])};
}

/// One trial's arrays as they come from Python.
struct LegacyTrial {
  Array time, mtu_length, moment_arm, excitation_time, excitation;
  double em_delay;

  legacy::Trial trial(bool online) const {
    if (mtu_length.ndim() != 2 || mtu_length.size() == 0)
      throw std::invalid_argument("mtu_length: expected shape (n_step, n_mtu), not empty.");
    if (moment_arm.ndim() != 3)
      throw std::invalid_argument("moment_arm: expected shape (n_step, n_dof, n_mtu).");
    const py::ssize_t n_step = mtu_length.shape(0);
    const py::ssize_t n_mtu = mtu_length.shape(1);
    check_shape("time", time, {n_step});
    check_shape("moment_arm", moment_arm, {n_step, moment_arm.shape(1), n_mtu});
    check_shape("excitation", excitation, {excitation_time.size(), n_mtu});
    check_finite("time", time);
    check_finite("mtu_length", mtu_length);
    check_finite("moment_arm", moment_arm);
    check_finite("excitation_time", excitation_time);
    check_finite("excitation", excitation);
    return legacy::Trial({.n_step = static_cast<std::size_t>(n_step),
                          .n_row = static_cast<std::size_t>(excitation_time.size()),
                          .n_mtu = static_cast<std::size_t>(n_mtu),
                          .n_dof = static_cast<std::size_t>(moment_arm.shape(1)),
                          .time = time.data(),
                          .mtu_length = mtu_length.data(),
                          .moment_arm = moment_arm.data(),
                          .excitation_time = excitation_time.data(),
                          .excitation = excitation.data(),
                          .em_delay = em_delay},
                         online);
  }
};

inline void check_parameters(const Array& parameters, const legacy::Trial& trial) {
  check_shape(
      "parameters", parameters,
      {static_cast<py::ssize_t>(kernel::n_parameter_kind), static_cast<py::ssize_t>(trial.n_mtu)});
}

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

/// Asks Python every now and then, not at every evaluation, whether Ctrl-C was pressed.
inline std::function<bool()> until_interrupted() {
  return [watch = Stopwatch(), last = 0.0]() mutable {
    constexpr double interval = 0.05;
    const double now = watch.seconds();
    if (now - last < interval) return true;
    last = now;
    const py::gil_scoped_acquire acquire;
    return call_back(py::none(), 0);
  };
}

}  // namespace ceinms_torch::bindings
