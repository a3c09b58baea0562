/// @file trial.hpp
/// All MTUs and joint moments of one trial in double precision: open-loop execution.
#pragma once

#include "ceinms_torch/kernel/trajectory.hpp"

#include <cstddef>
#include <span>

namespace ceinms_torch::kernel {

/// One trial; every table row-major (C order), the caller owns the memory.
struct TrialInput {
  std::size_t n_step = 0;
  std::size_t n_row = 0;
  std::size_t n_mtu = 0;
  std::size_t n_dof = 0;
  const double* time = nullptr;          ///< (n_step) [s]
  const double* mtu_length = nullptr;    ///< (n_step, n_mtu) [m]
  const double* mtu_velocity = nullptr;  ///< (n_step, n_mtu) [m/s]
  const double* moment_arm = nullptr;    ///< (n_step, n_dof, n_mtu) [m]
  const double* excitation = nullptr;    ///< (n_row, n_mtu) [0..1]
  double excitation_start = 0.0;         ///< time of row 0 [s]
  double excitation_rate = 0.0;          ///< [Hz]
};

/// Results of one trial; (n_step, n_mtu) each, joint_moment (n_step, n_dof).
struct TrialOutput {
  double* activation = nullptr;       ///< [-]
  double* fibre_length = nullptr;     ///< [m]
  double* fibre_velocity = nullptr;   ///< [m/s]
  double* pennation_angle = nullptr;  ///< [rad]
  double* tendon_strain = nullptr;    ///< [-]
  double* mtu_force = nullptr;        ///< [N]
  double* joint_moment = nullptr;     ///< [N m]
};

/// Simulate one trial.
///
/// @param parameters  (n_parameter_kind, n_mtu), rows in the order of ParameterKind
void simulate_trial(const MtuCurves<PiecewiseCubic>& curves, const double* parameters,
                    const TrialInput& input, const SimulationOptions& options,
                    const TrialOutput& output);

/// The same with the damped equilibrium tendon. A fibre length that could not be found, and all
/// that come after it, are NaN.
void simulate_trial_damped(const MtuCurves<PiecewiseCubic>& curves, const double* parameters,
                           const TrialInput& input, FilterStart filter_start,
                           const TrialOutput& output);

}  // namespace ceinms_torch::kernel
