#include "ceinms_torch/calibration/optimiser_run.hpp"

#include <algorithm>
#include <cmath>

namespace ceinms_torch::calibration {

std::string_view name_of(Status status) noexcept {
  switch (status) {
    case Status::converged_objective:
      return "converged";
    case Status::converged_gradient:
      return "converged_gradient";
    case Status::converged_step:
      return "converged_step";
    case Status::max_iterations:
      return "max_iterations";
    case Status::interrupted:
      return "interrupted";
    case Status::not_finite:
      break;
  }
  return "not_finite";
}

Minimum minimise_adamw(SmoothProblem& problem, const std::vector<double>& start,
                       const AdamWOptions& options, const Progress& progress) {
  constexpr double beta1 = 0.9;
  constexpr double beta2 = 0.999;
  constexpr double epsilon = 1e-8;
  const std::size_t n = start.size();
  OptimiserRun run(options, progress);
  std::vector<double> x = start;
  std::vector<double> gradient(n);
  std::vector<double> first(n);
  std::vector<double> second(n);
  double learning_rate = options.learning_rate;
  for (int iteration = 0;; ++iteration) {
    const Evaluation& now = problem.gradient(x.data(), gradient.data());
    if (const auto ended = run.take(x, now)) return run.finish(*ended);

    const double correction1 = 1.0 - std::pow(beta1, iteration + 1);
    const double correction2 = std::sqrt(1.0 - std::pow(beta2, iteration + 1));
    for (std::size_t i = 0; i < n; ++i) {
      first[i] += (1.0 - beta1) * (gradient[i] - first[i]);
      second[i] = beta2 * second[i] + (1.0 - beta2) * gradient[i] * gradient[i];
      const double decayed = (x[i] - start[i]) * (1.0 - learning_rate * options.weight_decay);
      const double step =
          learning_rate / correction1 * first[i] / (std::sqrt(second[i]) / correction2 + epsilon);
      x[i] = start[i] + decayed - step;
      if (i < problem.n_boxed()) x[i] = std::clamp(x[i], 0.0, 1.0);
    }
    learning_rate = options.next_learning_rate(learning_rate, run.is_best());
  }
}

}  // namespace ceinms_torch::calibration
