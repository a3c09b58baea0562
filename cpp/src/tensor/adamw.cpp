#include "ceinms_torch/tensor/adamw.hpp"

#include "ceinms_torch/calibration/optimiser_run.hpp"

#include <ATen/ATen.h>
#include <torch/optim/adamw.h>

#include <vector>

namespace ceinms_torch::tensor {
namespace {

std::vector<double> to_vector(const at::Tensor& tensor) {
  const at::Tensor there = tensor.detach().to(at::kCPU).contiguous();
  return {there.data_ptr<double>(), there.data_ptr<double>() + there.numel()};
}

calibration::Evaluation values_of(const Evaluation& graph, const at::Tensor& objective) {
  calibration::Evaluation result{objective.item<double>(), {}, to_vector(graph.rmse.mean(1))};
  for (const Term& term : graph.terms) result.terms.push_back(term.value.item<double>());
  return result;
}

void put_into_box(at::Tensor& x, std::int64_t n_boxed) {
  x.narrow(0, 0, n_boxed).clamp_(0.0, 1.0);
}

}  // namespace

calibration::Minimum minimise_adamw(const Objective& evaluate, std::int64_t n_boxed,
                                    const at::Tensor& start,
                                    const calibration::AdamWOptions& options,
                                    const calibration::Progress& progress) {
  at::Tensor shift = at::zeros_like(start).set_requires_grad(true);
  torch::optim::AdamW optimiser(
      {shift},
      torch::optim::AdamWOptions(options.learning_rate).weight_decay(options.weight_decay));
  auto& learning_rate =
      static_cast<torch::optim::AdamWOptions&>(optimiser.param_groups().front().options());
  calibration::OptimiserRun run(options, progress);
  for (;;) {
    const at::Tensor x = start + shift;
    const Evaluation graph = evaluate(x);
    const at::Tensor objective = graph.objective();
    const calibration::Evaluation now = values_of(graph, objective);
    at::Tensor inside = x.detach().clone();
    put_into_box(inside, n_boxed);  // the sum may miss a bound by its rounding
    if (const auto ended = run.take(to_vector(inside), now)) return run.finish(*ended);

    optimiser.zero_grad();
    objective.backward();
    optimiser.step();
    {
      const at::NoGradGuard no_grad;
      at::Tensor moved = start + shift;
      put_into_box(moved, n_boxed);
      shift.copy_(moved - start);
    }
    learning_rate.lr(options.next_learning_rate(learning_rate.lr(), run.is_best()));
  }
}

}  // namespace ceinms_torch::tensor
