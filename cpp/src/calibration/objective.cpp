#include "ceinms_torch/calibration/objective.hpp"

#include <ATen/ATen.h>

#include <cmath>

namespace ceinms_torch::calibration {
namespace {

/// Residuals whose squares sum to the moment term.
at::Tensor moment_residuals(const at::Tensor& error, const at::Tensor& variance,
                            const at::Tensor& n_valid, Normalisation normalisation) {
  const double n_dof = static_cast<double>(error.size(1));
  const double n_trial = static_cast<double>(error.size(2));
  switch (normalisation) {
    case Normalisation::variance:
      return error / (variance * n_valid).sqrt();
    case Normalisation::mean_square:
      return error / (n_valid * (n_dof * n_trial)).sqrt();
    case Normalisation::rmse:
      break;
  }
  // One residual per DOF and trial, the root of its share of the sum. A perfect fit has no
  // derivative; the smallest representable error keeps it finite.
  const at::Tensor mean_square = error.square().sum(0) / n_valid;
  return (mean_square + 1e-24).pow(0.25) / std::sqrt(n_trial);
}

/// Residuals of P(x) in eq. (4): how far x is outside its range.
at::Tensor outside(const at::Tensor& x, const RangePenalty& range) {
  return (x - range.highest).clamp_min(0.0) + (range.lowest - x).clamp_min(0.0);
}

}  // namespace

at::Tensor Evaluation::objective() const {
  at::Tensor sum = terms.front().residuals.square().sum();
  for (std::size_t i = 1; i < terms.size(); ++i) sum = sum + terms[i].residuals.square().sum();
  return sum;
}

Evaluation evaluate(const tensor::Simulation& simulation, const at::Tensor& parameters,
                    const tensor::TrialBatch& batch, const Target& target,
                    const ObjectiveOptions& options, kernel::TendonModel tendon) {
  const at::Tensor valid = batch.is_valid.to(at::kDouble).unsqueeze(1);  // (n_step, 1, n_trial)
  const at::Tensor n_valid = valid.sum(0).squeeze(0);                    // (n_trial)
  const at::Tensor error = valid * (target.measured_moment.index_select(1, target.dofs) -
                                    simulation.joint_moment.index_select(1, target.dofs));
  const at::Tensor variance = target.variance.index_select(0, target.dofs);

  // Each penalty is summed over MTUs and averaged over steps; then per DOF (CEINMS) or trial.
  const double n_dof = static_cast<double>(target.dofs.numel());
  const double n_trial = static_cast<double>(n_valid.numel());
  const bool per_dof = options.normalisation == Normalisation::variance;
  const at::Tensor scale = (per_dof ? n_dof : 1.0 / n_trial) / n_valid;
  const auto penalty = [&](const at::Tensor& x, const RangePenalty& range) {
    return outside(x, range) * (valid * (range.weight * scale).sqrt());
  };

  const at::Tensor optimal_fibre_length =
      parameters.select(0, static_cast<std::int64_t>(kernel::ParameterKind::optimal_fibre_length))
          .unsqueeze(1);
  Evaluation result;
  result.rmse = (error.detach().square().sum(0) / n_valid).sqrt();
  result.terms.push_back(
      {"moment", moment_residuals(error, variance, n_valid, options.normalisation)});
  result.terms.push_back({"fibre_length", penalty(simulation.fibre_length / optimal_fibre_length,
                                                  options.fibre_length)});
  if (tendon != kernel::TendonModel::stiff)
    result.terms.push_back(
        {"tendon_strain", penalty(simulation.tendon_strain, options.tendon_strain)});
  return result;
}

}  // namespace ceinms_torch::calibration
