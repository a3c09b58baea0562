/// @file objective.hpp
/// What a calibration minimises: the terms of eq. (4), each a differentiable number.
#pragma once

#include "ceinms_torch/kernel/parameter_map.hpp"
#include "ceinms_torch/tensor/engine.hpp"
#include "ceinms_torch/terms/terms.hpp"

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace ceinms_torch::tensor {

/// What the moments of one calibration step are compared with.
struct Target {
  at::Tensor measured_moment;  ///< (n_step, n_dof, n_trial) [N m]; any value in the padding
  at::Tensor variance;         ///< (n_dof, n_trial) sample variance [N^2 m^2], > 0
  at::Tensor dofs;             ///< indices of the DOFs that count, int64
};

/// One term of the objective.
struct Term {
  std::string name;
  at::Tensor value;  ///< ()
};

/// The objective at one point, term by term, and the moment errors behind it.
struct Evaluation {
  std::vector<Term> terms;
  at::Tensor rmse;  ///< (n_dof that count, n_trial) [N m], without graph

  /// Sum of all terms: a differentiable scalar.
  at::Tensor objective() const;
};

/// What the weights of terms depend on.
terms::Balance balance_of(const terms::Objective& objective, const Target& target);

/// The terms that count.
///
/// @param parameters  (n_parameter_kind, n_mtu) with which `simulation` was made
/// @param map  where the step starts: by these forces forces are made dimensionless
Evaluation evaluate(const Simulation& simulation, const at::Tensor& parameters,
                    const kernel::ParameterMap& map, const TrialBatch& batch, const Target& target,
                    const terms::Objective& objective, kernel::TendonModel tendon);

}  // namespace ceinms_torch::tensor
