/// @file execution.hpp
/// All MTUs of a trial, open loop, and what CEINMS writes about them.
#pragma once

#include "ceinms_torch/legacy/trial.hpp"

#include <cstddef>
#include <cstdint>

namespace ceinms_torch::legacy {

/// One MTU at one frame.
struct Frame {
  double activation;  ///< [-]
  double length;      ///< of the fibre [m]
  double velocity;    ///< of the fibre [m/s]
  double force;       ///< along the tendon [N]
};

/// Where results go, row-major, owned by the caller.
struct RunOutput {
  double* activation;           ///< (n_step, n_mtu) [-]
  double* fibre_length;         ///< (n_step, n_mtu) [m]
  double* norm_fibre_length;    ///< (n_step, n_mtu), over lmo
  double* fibre_velocity;       ///< (n_step, n_mtu) [m/s]
  double* norm_fibre_velocity;  ///< (n_step, n_mtu), limited to +-1
  double* pennation_angle;      ///< (n_step, n_mtu) [rad]
  double* tendon_strain;        ///< (n_step, n_mtu) [-]; CEINMS does not write it
  double* mtu_force;            ///< (n_step, n_mtu) [N]
  double* joint_moment;         ///< (n_step, n_dof) [N m]
  std::int64_t* n_failed;       ///< (n_mtu) frames without equilibrium

  /// Write one MTU at one frame (all but joint_moment and n_failed).
  void set(std::size_t at, const Mtu& mtu, double mtu_length, const Frame& frame) const noexcept;
};

/// Run a trial, open loop.
///
/// @param parameters (n_parameter_kind, n_mtu)
void run_open_loop(const Curves& curves, const double* parameters, const Trial& trial,
                   const Model& model, const RunOutput& out);

/// Column `mtu` of parameters (n_parameter_kind, n_mtu).
kernel::MtuParameters<double> parameters_of(const double* parameters, std::size_t n_mtu,
                                            std::size_t mtu);

}  // namespace ceinms_torch::legacy
