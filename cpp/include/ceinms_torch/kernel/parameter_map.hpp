/// @file parameter_map.hpp
/// What a calibration may change: from a point of the unit box to the parameters of every MTU.
#pragma once

#include <cstddef>
#include <vector>

namespace ceinms_torch::kernel {

/// Component i of a point has a value between lower[i] and upper[i], which is written to every slot
/// that names it; slots that nothing names keep their start value.
struct ParameterMap {
  std::vector<double> start;           ///< (n_parameter_kind, n_mtu)
  std::vector<double> lower;           ///< (n)
  std::vector<double> upper;           ///< (n), >= lower
  std::vector<std::size_t> slot;       ///< index into `start`, unique
  std::vector<std::size_t> component;  ///< which component each slot takes

  std::size_t n_component() const noexcept { return lower.size(); }
  /// Derivative of component i's value by the point.
  double width(std::size_t i) const noexcept { return upper[i] - lower[i]; }
  /// The values (n) at x (n) of the unit box: lower at 0, upper at 1, never beyond. Compiled once,
  /// so that what was scored and what is written are the same, bit for bit.
  void values(const double* x, double* value) const noexcept;
  /// Sum of all MTUs' maximum isometric forces at the start [N].
  double total_force() const noexcept;
  /// Write values (n) to their slots of parameters (n_parameter_kind, n_mtu).
  void place(const double* value, double* parameters) const noexcept;
};

}  // namespace ceinms_torch::kernel
