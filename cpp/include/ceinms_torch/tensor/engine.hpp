/// @file engine.hpp
/// The tensor engine: all MTUs of all trials at once, differentiable by LibTorch.
#pragma once

#include "ceinms_torch/kernel/trajectory.hpp"
#include "ceinms_torch/tensor/number.hpp"
#include "ceinms_torch/tensor/recurrence.hpp"

#include <ATen/core/Tensor.h>

#include <memory>

namespace ceinms_torch::tensor {

class FusedCache;  // fused_function.hpp

/// Trials of unequal length side by side, each padded after its last step and row by repeating
/// it (time goes on, so that every time step stays positive). All float64, contiguous, and on one
/// device, which is where everything about them is computed.
struct TrialBatch {
  at::Tensor time;              ///< (n_step, n_trial) [s]
  at::Tensor mtu_length;        ///< (n_step, n_mtu, n_trial) [m]
  at::Tensor mtu_velocity;      ///< (n_step, n_mtu, n_trial) [m/s]
  at::Tensor moment_arm;        ///< (n_step, n_dof, n_mtu, n_trial) [m]
  at::Tensor excitation;        ///< (n_row, n_mtu, n_trial) [0..1]
  at::Tensor excitation_start;  ///< (n_trial) time of row 0 [s]
  at::Tensor excitation_rate;   ///< (n_trial) [Hz]
  at::Tensor is_valid;          ///< (n_step, n_trial) bool: false in the padding

  /// What simulate_fused keeps from call to call; shared by copies.
  std::shared_ptr<FusedCache> fused = nullptr;

  at::Device device() const { return mtu_length.device(); }
};

/// What every MTU did in every trial; (n_step, n_mtu, n_trial) unless said otherwise.
/// Values in the padding mean nothing.
struct Simulation : kernel::PerQuantity<at::Tensor> {
  at::Tensor pennation_angle;  ///< [rad]
  at::Tensor joint_moment;     ///< (n_step, n_dof, n_trial) [N m]
};

/// Throws c10::ValueError where shapes do not fit together, a number is not finite, a rate is not
/// positive, a trial has no valid step or a tensor is on another device than the rest;
/// c10::TypeError for other dtypes.
void check(const TrialBatch& batch);
void check(const Curves& curves);
/// The same for a parameter matrix (n_parameter_kind, n_mtu) of the batch's MTUs.
void check_parameters(const at::Tensor& parameters, const TrialBatch& batch);
/// The same for any tensor of numbers.
void check_shape(const char* name, const at::Tensor& tensor, at::IntArrayRef expected);
void check_numbers(const char* name, const at::Tensor& tensor);
void check_device(const char* name, const at::Tensor& tensor, at::Device expected);

/// Rows of a parameter matrix as (n_mtu, 1), which broadcasts over trials.
kernel::MtuParameters<at::Tensor> split_parameters(const at::Tensor& parameters);

/// Moments (n_step, n_dof, n_trial) of forces (n_step, n_mtu, n_trial).
at::Tensor joint_moments(const TrialBatch& batch, const at::Tensor& mtu_force);

/// Eqs. (1)-(3), (A1)-(A6) and the moments, with a graph to every tensor that requires grad, knots
/// apart. It can be differentiated twice and more, but through the elastic tendon once: there
/// c10::NotImplementedError says so.
///
/// @param parameters  (n_parameter_kind, n_mtu), rows in the order of kernel::ParameterKind
Simulation simulate(const Curves& curves, const at::Tensor& parameters, const TrialBatch& batch,
                    const kernel::SimulationOptions& options,
                    Stepping stepping = Stepping::automatic);

}  // namespace ceinms_torch::tensor
