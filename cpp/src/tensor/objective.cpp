#include "ceinms_torch/tensor/objective.hpp"

#include <ATen/ATen.h>

#include <cmath>

namespace ceinms_torch::tensor {
namespace {

using kernel::Normalisation;
using kernel::ObjectiveSizes;

// Weights are scalar functions of a trial, so they are computed on the CPU and sent to the device.

/// Roots of kernel::moment_weight. (n_dof, n_trial)
at::Tensor moment_scale(Normalisation normalisation, const ObjectiveSizes& sizes,
                        const at::Tensor& n_valid, const at::Tensor& variance) {
  const at::Tensor result = at::empty_like(variance);
  for (std::int64_t dof = 0; dof < variance.size(0); ++dof)
    for (std::int64_t trial = 0; trial < variance.size(1); ++trial)
      result[dof][trial] =
          std::sqrt(kernel::moment_weight(normalisation, sizes, n_valid[trial].item<double>(),
                                          variance[dof][trial].item<double>()));
  return result;
}

/// Roots of kernel::penalty_weight. (n_trial)
at::Tensor penalty_scale(Normalisation normalisation, const ObjectiveSizes& sizes,
                         const at::Tensor& n_valid, const kernel::RangePenalty& range) {
  const at::Tensor result = at::empty_like(n_valid);
  for (std::int64_t trial = 0; trial < n_valid.numel(); ++trial)
    result[trial] = std::sqrt(
        kernel::penalty_weight(normalisation, sizes, n_valid[trial].item<double>(), range));
  return result;
}

/// Residuals whose squares sum to the moment term.
at::Tensor moment_residuals(const at::Tensor& scaled_error, Normalisation normalisation,
                            const ObjectiveSizes& sizes) {
  if (normalisation != Normalisation::rmse) return scaled_error;
  // One residual per DOF and trial, the root of its share of the sum. A perfect fit has no
  // derivative; the smallest representable error keeps it finite.
  return (scaled_error.square().sum(0) + 1e-24).pow(0.25) / std::sqrt(sizes.n_trial);
}

/// The peak of every trial's summed force over that of all MTUs at the start. (n_trial)
at::Tensor peak_force(const Simulation& simulation, const at::Tensor& start,
                      const at::Tensor& valid, const at::Tensor& n_valid) {
  const at::Tensor capacity =
      start.select(0, static_cast<std::int64_t>(kernel::ParameterKind::max_isometric_force)).sum();
  const at::Tensor sum =
      at::where(valid, simulation.mtu_force.sum(1) / capacity, 0.0).abs();  // (n_step, n_trial)
  // Over the greatest, so that no power is too small. Without any force there is no derivative;
  // the smallest power keeps it finite.
  const at::Tensor greatest = sum.detach().amax(0).clamp_min(1e-300);
  const at::Tensor mean = (sum / greatest).pow(kernel::peak_exponent).sum(0) / n_valid;
  return greatest * (mean + 1e-24).pow(1.0 / kernel::peak_exponent);
}

}  // namespace

at::Tensor Evaluation::objective() const {
  at::Tensor sum = terms.front().residuals.square().sum();
  for (std::size_t i = 1; i < terms.size(); ++i) sum = sum + terms[i].residuals.square().sum();
  return sum;
}

Evaluation evaluate(const Simulation& simulation, const at::Tensor& parameters,
                    const at::Tensor& start, const TrialBatch& batch, const Target& target,
                    const kernel::ObjectiveOptions& options, kernel::TendonModel tendon) {
  const at::Tensor valid = batch.is_valid.unsqueeze(1);  // (n_step, 1, n_trial)
  const at::Tensor n_valid = batch.is_valid.to(at::kCPU).sum(0, false, at::kDouble);  // (n_trial)
  // Not a product with zero: the padding of a measured moment may hold anything, also NaN.
  const at::Tensor error = at::where(valid,
                                     target.measured_moment.index_select(1, target.dofs) -
                                         simulation.joint_moment.index_select(1, target.dofs),
                                     0.0);
  const ObjectiveSizes sizes{static_cast<double>(target.dofs.numel()),
                             static_cast<double>(n_valid.numel())};
  const at::Tensor moment_scales =
      moment_scale(options.normalisation, sizes, n_valid,
                   target.variance.index_select(0, target.dofs).to(at::kCPU))
          .to(batch.device());
  const auto penalty = [&](const at::Tensor& x, const kernel::RangePenalty& range) {
    const at::Tensor scale =
        penalty_scale(options.normalisation, sizes, n_valid, range).to(batch.device());
    return at::where(valid, kernel::distance_outside(x, range) * scale, 0.0);
  };

  const at::Tensor optimal_fibre_length =
      parameters.select(0, static_cast<std::int64_t>(kernel::ParameterKind::optimal_fibre_length))
          .unsqueeze(1);
  Evaluation result;
  result.rmse = (error.detach().square().sum(0) / n_valid.to(batch.device())).sqrt();
  result.terms.push_back(
      {"moment", moment_residuals(error * moment_scales, options.normalisation, sizes)});
  result.terms.push_back({"fibre_length", penalty(simulation.fibre_length / optimal_fibre_length,
                                                  options.fibre_length)});
  if (tendon != kernel::TendonModel::stiff)
    result.terms.push_back(
        {"tendon_strain", penalty(simulation.tendon_strain, options.tendon_strain)});
  if (options.peak_force_weight > 0.0)
    result.terms.push_back(
        {"peak_force", peak_force(simulation, start, batch.is_valid, n_valid.to(batch.device())) *
                           std::sqrt(kernel::peak_weight(options.normalisation, sizes,
                                                         options.peak_force_weight))});
  return result;
}

}  // namespace ceinms_torch::tensor
