#include "ceinms_torch/calibration/problem.hpp"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

namespace ceinms_torch::calibration {

at::Tensor ParameterMap::parameters(const at::Tensor& x) const {
  const at::Tensor values = lower + x * (upper - lower);
  return start.flatten().index_copy(0, slot, values.index_select(0, component)).view(start.sizes());
}

void Problem::check() const {
  tensor::check(batch);
  const auto& moment_arm = batch.moment_arm;
  const std::vector<std::int64_t> moment_shape{moment_arm.size(0), moment_arm.size(1),
                                               moment_arm.size(3)};
  TORCH_CHECK_VALUE(target.measured_moment.sizes() == at::IntArrayRef(moment_shape),
                    "measured_moment: expected shape ", moment_shape, ", got ",
                    target.measured_moment.sizes(), ".");
  TORCH_CHECK_VALUE((target.variance.index_select(0, target.dofs) > 0.0).all().item<bool>(),
                    "variance: expected positive numbers.");
  TORCH_CHECK_VALUE((map.upper > map.lower).all().item<bool>(),
                    "upper: expected to be above lower.");
  TORCH_CHECK_VALUE(map.slot.numel() == map.component.numel(),
                    "component: expected one per slot, got ", map.component.numel(), " for ",
                    map.slot.numel(), ".");
}

Evaluation Problem::evaluate(const at::Tensor& x) const {
  const at::Tensor parameters = map.parameters(x);
  const tensor::Simulation result = tensor::simulate(curves, parameters, batch, simulation);
  return calibration::evaluate(result, parameters, batch, target, objective, simulation.tendon);
}

}  // namespace ceinms_torch::calibration
