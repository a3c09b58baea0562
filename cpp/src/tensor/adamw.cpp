#include "ceinms_torch/tensor/adamw.hpp"

#include <ATen/ATen.h>
#include <torch/optim/adamw.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace ceinms_torch::tensor {
namespace {

/// Stops when the best objective has improved too little for too long.
class EarlyStopping {
 public:
  explicit EarlyStopping(const AdamWOptions& options) : options_(options) {}

  bool stops(int iteration, double best) {
    if (iteration == 0 || best < reference_ * (1.0 - options_.min_improvement)) {
      reference_ = best;
      since_ = iteration;
    }
    return iteration - since_ >= options_.patience;
  }

 private:
  const AdamWOptions& options_;
  double reference_ = 0.0;
  int since_ = 0;
};

std::vector<double> term_values(const Evaluation& evaluation) {
  std::vector<double> result;
  for (const Term& term : evaluation.terms)
    result.push_back(term.residuals.square().sum().item<double>());
  return result;
}

std::vector<double> mean_over_trials(const at::Tensor& rmse) {
  const at::Tensor mean = rmse.mean(1).to(at::kCPU).contiguous();
  return {mean.data_ptr<double>(), mean.data_ptr<double>() + mean.numel()};
}

void put_into_box(at::Tensor& x, std::int64_t n_boxed) {
  x.narrow(0, 0, n_boxed).clamp_(0.0, 1.0);
}

}  // namespace

Minimum minimise_adamw(const Objective& evaluate, std::int64_t n_boxed, const at::Tensor& start,
                       const AdamWOptions& options, const Progress& progress) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };

  at::Tensor shift = at::zeros_like(start).set_requires_grad(true);
  torch::optim::AdamW optimiser(
      {shift},
      torch::optim::AdamWOptions(options.learning_rate).weight_decay(options.weight_decay));
  auto& learning_rate =
      static_cast<torch::optim::AdamWOptions&>(optimiser.param_groups().front().options());
  EarlyStopping early_stopping(options);

  Minimum best;
  best.x = start.clone();
  for (int iteration = 0;; ++iteration) {
    const Evaluation evaluation = evaluate(start + shift);
    const at::Tensor objective = evaluation.objective();
    ++best.evaluations;
    const Iteration now{iteration,
                        best.evaluations,
                        seconds(),
                        objective.item<double>(),
                        term_values(evaluation),
                        mean_over_trials(evaluation.rmse)};
    if (!std::isfinite(now.objective)) {
      best.status = Status::not_finite;
      break;
    }
    if (iteration == 0 || now.objective < best.objective) {
      best.x = (start + shift).detach();
      put_into_box(best.x, n_boxed);
      best.objective = now.objective;
      best.terms = now.terms;
    }
    if (iteration == 0)
      for (const Term& term : evaluation.terms) best.term_names.push_back(term.name);
    best.history.push_back(now);
    if (!progress(now)) {
      best.status = Status::interrupted;
      break;
    }
    if (early_stopping.stops(iteration, best.objective)) {
      best.status = Status::converged;
      break;
    }
    if (iteration == options.max_iterations) break;

    optimiser.zero_grad();
    objective.backward();
    optimiser.step();
    {
      const at::NoGradGuard no_grad;
      at::Tensor moved = start + shift;
      put_into_box(moved, n_boxed);
      shift.copy_(moved - start);
    }
    learning_rate.lr(
        std::max(options.min_learning_rate, learning_rate.lr() * options.learning_rate_decay));
  }
  best.x = best.x.to(at::kCPU);
  best.seconds = seconds();
  return best;
}

}  // namespace ceinms_torch::tensor
