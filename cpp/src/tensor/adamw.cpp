#include "ceinms_torch/tensor/adamw.hpp"

#include "ceinms_torch/calibration/optimiser_run.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/optim/adamw.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace ceinms_torch::tensor {
namespace {

std::vector<double> to_vector(const at::Tensor& tensor) {
  const at::Tensor there = tensor.detach().to(at::kCPU).contiguous();
  return {there.data_ptr<double>(), there.data_ptr<double>() + there.numel()};
}

/// One transfer from the device for all numbers.
calibration::Evaluation values_of(const Evaluation& graph, const at::Tensor& objective) {
  std::vector<at::Tensor> numbers{objective.detach()};
  for (const Term& term : graph.terms) numbers.push_back(term.value.detach());
  const std::vector<double> all = to_vector(at::cat({at::stack(numbers), graph.rmse.mean(1)}));
  const auto first_rmse = all.begin() + static_cast<std::ptrdiff_t>(numbers.size());
  return {all.front(), {all.begin() + 1, first_rmse}, {first_rmse, all.end()}};
}

void put_into_box(at::Tensor& x, std::int64_t n_boxed) {
  x.narrow(0, 0, n_boxed).clamp_(0.0, 1.0);
}

}  // namespace

calibration::Minimum minimise_adamw(const Objective& evaluate, std::int64_t n_boxed,
                                    const at::Tensor& start,
                                    const calibration::AdamWOptions& options,
                                    const calibration::Progress& progress) {
  // Whoever calls may have switched graphs off, in this thread, for work of their own.
  const at::AutoGradMode with_graph(true);
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

    shift.mutable_grad() = torch::autograd::grad({objective}, {shift})[0];
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
