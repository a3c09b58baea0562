#include "ceinms_torch/tensor/problem.hpp"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

namespace ceinms_torch::tensor {
namespace {

/// Indices (n) of something of which there are `size`.
void check_indices(const char* name, const at::Tensor& indices, std::int64_t size) {
  TORCH_CHECK_TYPE(indices.scalar_type() == at::kLong, name, ": expected dtype int64, got ",
                   indices.scalar_type(), ".");
  TORCH_CHECK_VALUE(indices.dim() == 1, name, ": expected one dimension, got ", indices.dim(), ".");
  TORCH_CHECK_VALUE(((indices >= 0) & (indices < size)).all().item<bool>(), name,
                    ": expected indices from 0 to ", size - 1, ", got ", indices.min(), " to ",
                    indices.max(), ".");
}

void check_unique(const char* name, const at::Tensor& indices) {
  TORCH_CHECK_VALUE(std::get<0>(at::_unique(indices)).numel() == indices.numel(), name,
                    ": expected different indices, got one twice.");
}

void check_target(const Target& target, const TrialBatch& batch) {
  const auto& arm = batch.moment_arm;
  check_shape("measured_moment", target.measured_moment, {arm.size(0), arm.size(1), arm.size(3)});
  check_shape("variance", target.variance, {arm.size(1), arm.size(3)});
  check_device("measured_moment", target.measured_moment, batch.device());
  check_device("variance", target.variance, batch.device());
  check_device("dofs", target.dofs, batch.device());
  TORCH_CHECK_VALUE(target.dofs.numel() > 0, "dofs: expected at least one, got none.");
  check_indices("dofs", target.dofs, arm.size(1));
  check_unique("dofs", target.dofs);
  check_numbers("measured_moment",
                at::where(batch.is_valid.unsqueeze(1), target.measured_moment, 0.0));
  TORCH_CHECK_TYPE(target.variance.scalar_type() == at::kDouble,
                   "variance: expected dtype float64, got ", target.variance.scalar_type(), ".");
  TORCH_CHECK_VALUE((target.variance.index_select(0, target.dofs) > 0.0).all().item<bool>(),
                    "variance: expected positive numbers, got one that is not.");
}

void check_map(const ParameterMap& map, const TrialBatch& batch) {
  check_parameters(map.start, batch);
  TORCH_CHECK_VALUE(map.lower.dim() == 1, "lower: expected one dimension, got ", map.lower.dim(),
                    ".");
  check_shape("upper", map.upper, map.lower.sizes());
  check_device("lower", map.lower, batch.device());
  check_device("upper", map.upper, batch.device());
  check_device("slot", map.slot, batch.device());
  check_device("component", map.component, batch.device());
  check_numbers("lower", map.lower);
  check_numbers("upper", map.upper);
  TORCH_CHECK_VALUE((map.upper >= map.lower).all().item<bool>(),
                    "upper: expected to be at or above lower, got less.");
  TORCH_CHECK_VALUE(map.slot.numel() == map.component.numel(),
                    "component: expected one per slot, got ", map.component.numel(), " for ",
                    map.slot.numel(), ".");
  check_indices("slot", map.slot, map.start.numel());
  check_indices("component", map.component, map.lower.numel());
  check_unique("slot", map.slot);
}

}  // namespace

at::Tensor ParameterMap::parameters(const at::Tensor& x) const {
  const at::Tensor values = lower + x * (upper - lower);
  return start.flatten().index_copy(0, slot, values.index_select(0, component)).view(start.sizes());
}

void Problem::check() const {
  tensor::check(batch);
  check_target(target, batch);
  check_map(map, batch);
  for (const LinearTerm& term : linear_terms) {
    check_shape("matrix", term.matrix, {term.offset.numel(), n_component()});
    check_shape("offset", term.offset, {term.offset.numel()});
    check_device("matrix", term.matrix, batch.device());
    check_device("offset", term.offset, batch.device());
    check_numbers("matrix", term.matrix);
    check_numbers("offset", term.offset);
  }
}

void Problem::check_point(const at::Tensor& x) const {
  check_shape("x", x, {n_component()});
  check_device("x", x, batch.device());
  check_numbers("x", x);
  TORCH_CHECK_VALUE(((x >= 0.0) & (x <= 1.0)).all().item<bool>(),
                    "x: expected numbers from 0 to 1, got one outside.");
}

Evaluation Problem::evaluate(const at::Tensor& x, const at::Tensor& excitation) const {
  TrialBatch driven = batch;
  driven.excitation = excitation;
  return measure(x, simulate(curves, map.parameters(x), driven, simulation));
}

Evaluation Problem::measure(const at::Tensor& x, const Simulation& result) const {
  Evaluation evaluation = tensor::evaluate(result, map.parameters(x), map.start, batch, target,
                                           objective, simulation.tendon);
  for (const LinearTerm& term : linear_terms)
    evaluation.terms.push_back({term.name, at::mv(term.matrix, x) - term.offset});
  return evaluation;
}

}  // namespace ceinms_torch::tensor
