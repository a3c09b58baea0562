/// @file trajectory.hpp
/// The recurrences of a trial on tensors: the filter of eq. (1) and the elastic tendon's fibre.
#pragma once

#include "ceinms_torch/tensor/engine.hpp"

#include <ATen/core/Tensor.h>

namespace ceinms_torch::tensor {

/// Eq. (1): neural activation at every step. (n_step, n_mtu, n_trial)
at::Tensor neural_activation(const kernel::MtuParameters<at::Tensor>& parameters,
                             const TrialBatch& batch, kernel::FilterStart start, Stepping stepping);

struct FibreTrajectory {
  at::Tensor length;    ///< (n_step, n_mtu, n_trial) [m]
  at::Tensor velocity;  ///< (n_step, n_mtu, n_trial) [m/s]
};

/// Eqs. (A1)-(A6) from static equilibrium on. The steps are taken without a graph; then one step is
/// taken for all of them at once, with the same text, and tells their derivatives.
///
/// @param activation  (n_step, n_mtu, n_trial)
FibreTrajectory rosenbrock_trajectory(const Curves& curves, const kernel::Mtu<at::Tensor>& mtu,
                                      const at::Tensor& activation, const TrialBatch& batch,
                                      Stepping stepping);

}  // namespace ceinms_torch::tensor
