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

/// Where results go, row-major, owned by the caller: a trial's, and what only CEINMS has. It does
/// not write the tendon's strain.
struct RunOutput : kernel::TrialOutput {
  double* norm_fibre_length = nullptr;    ///< (n_step, n_mtu), over lmo
  double* norm_fibre_velocity = nullptr;  ///< (n_step, n_mtu), limited to +-1
  std::int64_t* n_failed = nullptr;       ///< (n_mtu) frames without equilibrium

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
