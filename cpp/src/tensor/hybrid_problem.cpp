#include "ceinms_torch/tensor/hybrid_problem.hpp"

#include <ATen/ATen.h>

#include <cmath>

namespace ceinms_torch::tensor {
namespace {

/// Residuals of one term, collected trial by trial.
class Collected {
 public:
  void add(const at::Tensor& difference, double weight) {
    parts_.push_back((difference * std::sqrt(weight)).flatten());
  }
  at::Tensor residuals() const { return at::cat(parts_); }

 private:
  std::vector<at::Tensor> parts_;
};

}  // namespace

std::int64_t HybridProblem::first_primitive() const {
  return problem.n_component() + (shared_weightings ? 1 : n_trial()) * n_weighted() * n_synergy;
}

std::int64_t HybridProblem::n_component() const {
  std::int64_t n = first_primitive();
  for (const at::Tensor& one : recorded) n += n_synergy * one.size(1);
  return n;
}

void HybridProblem::check() const {
  problem.check();
  TORCH_CHECK_VALUE(n_synergy > 0, "n_synergy: expected at least 1, got ", n_synergy, ".");
  const at::Tensor& excitation = problem.batch.excitation;
  TORCH_CHECK_VALUE(n_trial() == excitation.size(2) && interpolation.size() == recorded.size() &&
                        interval.size() == recorded.size(),
                    "recorded, interpolation, interval: expected one per trial, got ",
                    recorded.size(), ", ", interpolation.size(), " and ", interval.size(), ".");
  TORCH_CHECK_VALUE(synthesised.numel() > 0 && synthesised.min().item<std::int64_t>() >= 0 &&
                        synthesised.max().item<std::int64_t>() < excitation.size(1),
                    "synthesised: expected indices of MTUs, got none or others.");
  for (std::size_t trial = 0; trial < recorded.size(); ++trial) {
    TORCH_CHECK_VALUE(recorded[trial].dim() == 2,
                      "recorded: expected shape (n_channel, n_node), got ", recorded[trial].dim(),
                      " dimensions.");
    const std::int64_t n_node = recorded[trial].size(1);
    check_shape("recorded", recorded[trial], {recorded.front().size(0), n_node});
    check_shape("interpolation", interpolation[trial], {excitation.size(0), n_node});
    check_numbers("recorded", recorded[trial]);
    check_numbers("interpolation", interpolation[trial]);
    check_shape("interval", interval[trial], {n_node - 1});
    TORCH_CHECK_VALUE((interval[trial] > 0.0).all().item<bool>(),
                      "interval: expected positive numbers, got one that is not.");
  }
}

void HybridProblem::check_point(const at::Tensor& x) const {
  check_shape("x", x, {n_component()});
  check_numbers("x", x);
  const at::Tensor boxed = x.narrow(0, 0, n_boxed());
  TORCH_CHECK_VALUE(((boxed >= 0.0) & (boxed <= 1.0)).all().item<bool>(),
                    "x: expected numbers from 0 to 1, got one outside.");
}

Evaluation HybridProblem::evaluate(const at::Tensor& x) const {
  const std::int64_t n_channel = recorded.front().size(0);
  const kernel::Normalisation normalisation = problem.objective.normalisation;
  const kernel::ObjectiveSizes sizes{static_cast<double>(problem.target.dofs.numel()),
                                     static_cast<double>(n_trial())};
  Collected tracking;
  Collected size;
  Collected outside;
  Collected change;
  std::vector<at::Tensor> rows;
  std::int64_t set = problem.n_component();
  std::int64_t primitive = first_primitive();
  for (std::size_t trial = 0; trial < recorded.size(); ++trial) {
    const std::int64_t n_node = recorded[trial].size(1);
    const at::Tensor weightings =
        x.narrow(0, set, n_weighted() * n_synergy).view({n_weighted(), n_synergy});
    const at::Tensor primitives =
        x.narrow(0, primitive, n_synergy * n_node).view({n_synergy, n_node});
    if (!shared_weightings) set += n_weighted() * n_synergy;
    primitive += n_synergy * n_node;
    const at::Tensor reconstructed = at::matmul(weightings, primitives);
    const at::Tensor made = reconstructed.slice(0, n_channel);
    rows.push_back(at::matmul(interpolation[trial], made.t()).clamp(0.0, 1.0));

    const auto weight = [&](std::int64_t n_step, std::int64_t n_excitation, double each) {
      return kernel::excitation_weight(normalisation, sizes, static_cast<double>(n_step),
                                       static_cast<double>(n_excitation), each);
    };
    tracking.add(reconstructed.slice(0, 0, n_channel) - recorded[trial],
                 weight(n_node, n_channel, options.excitation_weight));
    size.add(made, weight(n_node, made.size(0), options.synthesised_weight));
    const auto penalty = [&](const at::Tensor& values, std::int64_t n_step) {
      outside.add(kernel::distance_outside(values, options.bounds),
                  weight(n_step, 1, options.bounds.weight));
    };
    if (options.smoothness_weight > 0.0) {
      // As kernel::smoothness_weight, of which the intervals are a factor.
      const double duration = interval[trial].sum().item<double>();
      change.add(
          (made.slice(1, 1) - made.slice(1, 0, n_node - 1)) / interval[trial].sqrt(),
          kernel::smoothness_weight(normalisation, sizes, 1.0, duration,
                                    static_cast<double>(made.size(0)), options.smoothness_weight));
    }
    penalty(made, n_node);
    penalty(primitives, n_node);
    penalty(weightings, 1);
  }
  Evaluation result =
      problem.evaluate(x.narrow(0, 0, problem.n_component()),
                       problem.batch.excitation.index_copy(1, synthesised, at::stack(rows, 2)));
  result.terms.push_back({"excitation", tracking.residuals()});
  result.terms.push_back({"synthesised", size.residuals()});
  result.terms.push_back({"bounds", outside.residuals()});
  if (options.smoothness_weight > 0.0) result.terms.push_back({"smoothness", change.residuals()});
  return result;
}

}  // namespace ceinms_torch::tensor
