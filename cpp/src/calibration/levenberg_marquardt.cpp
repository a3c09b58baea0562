#include "ceinms_torch/calibration/box_step.hpp"
#include "ceinms_torch/calibration/optimiser_run.hpp"
#include "ceinms_torch/kernel/input_error.hpp"

#include <algorithm>
#include <cmath>

namespace ceinms_torch::calibration {
namespace {

/// Largest component of the gradient that still leads somewhere inside the box.
double projected_gradient(const std::vector<double>& x, const std::vector<double>& gradient) {
  double largest = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double moved = std::clamp(x[i] - gradient[i], 0.0, 1.0) - x[i];
    largest = std::max(largest, std::abs(moved));
  }
  return largest;
}

}  // namespace

Minimum minimise_levenberg_marquardt(Problem& problem, const std::vector<double>& start,
                                     const LevenbergMarquardtOptions& options,
                                     const Progress& progress) {
  // What is not above 0 never grows to where a step is given up.
  if (!std::isfinite(options.damping) || options.damping <= 0.0)
    throw kernel::InputError("damping", "a finite number above 0",
                             kernel::number_text(options.damping));
  const std::size_t n = start.size();
  OptimiserRun run(options, progress);
  BoxStep box(problem.layout().backend(), n);
  std::vector<double> x = start;
  std::vector<double> candidate(n);
  std::vector<double> gradient(n);
  engine::AlignedBuffer matrix(n * n);
  std::vector<double> diagonal(n);
  std::vector<double> damped(n);
  double damping = options.damping;
  double growth = 2.0;

  for (;;) {
    const Evaluation now = problem.normal_equations(x.data(), gradient.data(), matrix.data());
    const bool is_flat = projected_gradient(x, gradient) <= options.min_gradient * now.objective;
    if (const auto ended = run.take(x, now, is_flat)) return run.finish(*ended);

    // A component without influence would make the matrix singular: it gets a little of the
    // largest diagonal instead, and does not move, because its gradient is zero.
    double largest = 0.0;
    for (std::size_t i = 0; i < n; ++i) largest = std::max(largest, matrix[i * n + i]);
    for (std::size_t i = 0; i < n; ++i)
      diagonal[i] = std::max(matrix[i * n + i], 1e-9 * largest + 1e-30);

    const QuadraticModel model{x.data(), gradient.data(), matrix.data()};
    for (;;) {
      for (std::size_t i = 0; i < n; ++i) damped[i] = damping * diagonal[i];
      double step_size = 0.0;
      bool accepted = false;
      if (box.solve(model, damped)) {
        for (std::size_t i = 0; i < n; ++i) {
          candidate[i] = std::clamp(x[i] + box.step()[i], 0.0, 1.0);
          step_size = std::max(step_size, std::abs(candidate[i] - x[i]));
        }
        if (step_size <= options.min_step) return run.finish(Status::converged_step);
        const double value = problem.evaluate(candidate.data()).objective;
        run.count_evaluation();
        const double ratio = (now.objective - value) / box.fall(model);
        accepted = std::isfinite(value) && value < now.objective;
        if (accepted) {
          const double quality = 2.0 * ratio - 1.0;
          damping =
              std::max(1e-12, damping * std::max(1.0 / 3.0, 1.0 - quality * quality * quality));
          growth = 2.0;
        }
      }
      if (accepted) break;
      damping *= growth;
      growth *= 2.0;
      if (damping > 1e14) return run.finish(Status::converged_step);
    }
    x = candidate;
  }
}

}  // namespace ceinms_torch::calibration
