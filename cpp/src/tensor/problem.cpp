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

/// Numbers as a tensor on the CPU.
template <class To, class From>
at::Tensor to_tensor(const std::vector<From>& numbers) {
  return at::tensor(std::vector<To>(numbers.begin(), numbers.end()));
}

}  // namespace

void Problem::check() const {
  tensor::check(batch);
  check_target(target, batch);
  TORCH_CHECK_VALUE(map.start.size() == kernel::n_parameter_kind *
                                            static_cast<std::size_t>(batch.mtu_length.size(1)),
                    "map: expected parameters of the batch's MTUs, got of others.");
  for (const calibration::LinearTerm& term : linear_terms)
    TORCH_CHECK_VALUE(term.n == map.n_component(), "linear_terms: expected matrices of ",
                      map.n_component(), " columns, got ", term.n, ".");
}

void Problem::check_point(const at::Tensor& x) const {
  check_shape("x", x, {n_component()});
  check_device("x", x, batch.device());
  check_numbers("x", x);
  TORCH_CHECK_VALUE(((x >= 0.0) & (x <= 1.0)).all().item<bool>(),
                    "x: expected numbers from 0 to 1, got one outside.");
}

std::vector<std::string> Problem::term_names() const {
  std::vector<std::string> names = terms::names_of(objective, simulation.tendon);
  for (const calibration::LinearTerm& term : linear_terms) names.push_back(term.name);
  return names;
}

at::Tensor Problem::parameters(const at::Tensor& x) const {
  const at::Tensor point = x.detach().to(at::kCPU).contiguous();
  std::vector<double> values(map.n_component());
  std::vector<double> matrix = map.start;
  std::vector<double> width;
  for (std::size_t i = 0; i < values.size(); ++i) width.push_back(map.width(i));
  map.values(point.const_data_ptr<double>(), values.data());
  map.place(values.data(), matrix.data());
  const at::Device device = batch.device();
  // Zero, with the derivatives: the kernel has computed the values.
  const at::Tensor change = (x - x.detach()) * to_tensor<double>(width).to(device);
  return to_tensor<double>(matrix)
      .to(device)
      .index_add(0, to_tensor<std::int64_t>(map.slot).to(device),
                 change.index_select(0, to_tensor<std::int64_t>(map.component).to(device)))
      .view({static_cast<std::int64_t>(kernel::n_parameter_kind), -1});
}

Evaluation Problem::evaluate(const at::Tensor& x, const at::Tensor& excitation) const {
  TrialBatch driven = batch;
  driven.excitation = excitation;
  return measure(x, simulate(curves, parameters(x), driven, simulation, stepping));
}

Evaluation Problem::measure(const at::Tensor& x, const Simulation& result) const {
  Evaluation evaluation =
      tensor::evaluate(result, parameters(x), map, batch, target, objective, simulation.tendon);
  for (const calibration::LinearTerm& term : linear_terms) {
    const at::Tensor matrix =
        to_tensor<double>(term.matrix).view({-1, n_component()}).to(batch.device());
    const at::Tensor residual = at::mv(matrix, x) - to_tensor<double>(term.offset).to(x.device());
    evaluation.terms.push_back({term.name, residual.square().sum()});
  }
  return evaluation;
}

}  // namespace ceinms_torch::tensor
