/// @file objective.hpp
/// What a calibration minimises: the terms of eq. (4), each declared as residuals.
///
/// Every term is a sum of squares, so it is declared once as its residuals and every optimiser
/// is fed from the same declaration: gradient descent takes the sum of squares, least-squares
/// methods the residuals themselves.
#pragma once

#include "ceinms_torch/kernel/objective.hpp"
#include "ceinms_torch/tensor/engine.hpp"

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

/// One term of the objective: its value is the sum of the squares of its residuals.
struct Term {
  std::string name;
  at::Tensor residuals;  ///< any shape; zero in the padding
};

/// The objective at one point, term by term, and the moment errors behind it.
struct Evaluation {
  std::vector<Term> terms;
  at::Tensor rmse;  ///< (n_dof that count, n_trial) [N m], without graph

  /// Sum of the squares of all residuals: a differentiable scalar.
  at::Tensor objective() const;
};

/// The terms "moment", "fibre_length", for elastic tendons "tendon_strain", and "peak_force" if it
/// has a weight.
///
/// @param parameters  (n_parameter_kind, n_mtu) with which `simulation` was made
/// @param start  the same at the start of the step, by which forces are made dimensionless
Evaluation evaluate(const Simulation& simulation, const at::Tensor& parameters,
                    const at::Tensor& start, const TrialBatch& batch, const Target& target,
                    const kernel::ObjectiveOptions& options, kernel::TendonModel tendon);

}  // namespace ceinms_torch::tensor
