#include "ceinms_torch/calibration/optimiser_run.hpp"

#include <algorithm>
#include <cmath>

namespace ceinms_torch::calibration {
namespace {

/// The damped quadratic model around a point and its minimiser in the box.
class BoxStep {
 public:
  explicit BoxStep(std::size_t n)
      : n_(n), step_(n), free_(n), is_free_(n), factor_(n * n), rhs_(n) {}

  /// Minimise g.p + p.(H + damping diag(H)).p / 2 with x + p in the box; false if the matrix
  /// cannot be factored.
  bool solve(const std::vector<double>& x, const std::vector<double>& gradient,
             const std::vector<double>& matrix, const std::vector<double>& diagonal,
             double damping) {
    for (std::size_t i = 0; i < n_; ++i) {
      step_[i] = 0.0;
      // A component at a bound that wants out stays; all others may move.
      is_free_[i] = !((x[i] <= 0.0 && gradient[i] > 0.0) || (x[i] >= 1.0 && gradient[i] < 0.0));
    }
    for (std::size_t round = 0; round <= n_; ++round) {
      if (!solve_free(gradient, matrix, diagonal, damping)) return false;
      bool all_inside = true;
      for (std::size_t a = 0; a < n_free_; ++a) {
        const std::size_t i = free_[a];
        const double target = x[i] + rhs_[a];
        step_[i] = rhs_[a];
        if (target >= 0.0 && target <= 1.0) continue;
        step_[i] = (target < 0.0 ? 0.0 : 1.0) - x[i];
        is_free_[i] = false;
        all_inside = false;
      }
      if (all_inside) return true;
    }
    return true;
  }

  const std::vector<double>& step() const noexcept { return step_; }

  /// Improvement that the undamped model predicts for the step.
  double predicted(const std::vector<double>& gradient, const std::vector<double>& matrix) const {
    double result = 0.0;
    for (std::size_t i = 0; i < n_; ++i) {
      if (step_[i] == 0.0) continue;
      double product = 0.0;
      for (std::size_t j = 0; j < n_; ++j) product += matrix[i * n_ + j] * step_[j];
      result -= step_[i] * (gradient[i] + 0.5 * product);
    }
    return result;
  }

 private:
  /// Solve for the free components with the fixed ones at their steps, by Cholesky; into rhs_.
  bool solve_free(const std::vector<double>& gradient, const std::vector<double>& matrix,
                  const std::vector<double>& diagonal, double damping) {
    n_free_ = 0;
    for (std::size_t i = 0; i < n_; ++i)
      if (is_free_[i]) free_[n_free_++] = i;
    for (std::size_t a = 0; a < n_free_; ++a) {
      const std::size_t i = free_[a];
      rhs_[a] = -gradient[i];
      for (std::size_t j = 0; j < n_; ++j)
        if (!is_free_[j]) rhs_[a] -= matrix[i * n_ + j] * step_[j];
    }
    // H = U^T U, row of U after row: every inner loop runs along rows and needs no sum.
    for (std::size_t a = 0; a < n_free_; ++a) {
      const double* from = matrix.data() + free_[a] * n_;
      double* row = factor_.data() + a * n_;
      for (std::size_t b = a; b < n_free_; ++b) row[b] = from[free_[b]];
      row[a] += damping * diagonal[free_[a]];
    }
    for (std::size_t k = 0; k < n_free_; ++k) {
      double* pivot = factor_.data() + k * n_;
      if (!(pivot[k] > 0.0)) return false;
      const double scale = 1.0 / std::sqrt(pivot[k]);
      for (std::size_t b = k; b < n_free_; ++b) pivot[b] *= scale;
      for (std::size_t a = k + 1; a < n_free_; ++a) {
        double* row = factor_.data() + a * n_;
        const double factor = pivot[a];
        for (std::size_t b = a; b < n_free_; ++b) row[b] -= factor * pivot[b];
      }
    }
    for (std::size_t a = 0; a < n_free_; ++a) {
      const double* row = factor_.data() + a * n_;
      rhs_[a] /= row[a];
      for (std::size_t k = a + 1; k < n_free_; ++k) rhs_[k] -= row[k] * rhs_[a];
    }
    for (std::size_t a = n_free_; a-- > 0;) {
      const double* row = factor_.data() + a * n_;
      for (std::size_t k = a + 1; k < n_free_; ++k) rhs_[a] -= row[k] * rhs_[k];
      rhs_[a] /= row[a];
    }
    return true;
  }

  std::size_t n_;
  std::size_t n_free_ = 0;
  std::vector<double> step_;
  std::vector<std::size_t> free_;
  std::vector<char> is_free_;
  std::vector<double> factor_;
  std::vector<double> rhs_;
};

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
  const std::size_t n = start.size();
  OptimiserRun run(progress);
  EarlyStopping early_stopping(options.min_improvement, options.patience);
  BoxStep box(n);
  std::vector<double> x = start;
  std::vector<double> candidate(n);
  std::vector<double> gradient(n);
  std::vector<double> matrix(n * n);
  std::vector<double> diagonal(n);
  double damping = options.damping;
  double growth = 2.0;

  for (int iteration = 0;; ++iteration) {
    const Evaluation now = problem.normal_equations(x.data(), gradient.data(), matrix.data());
    run.count_evaluation();
    if (!std::isfinite(now.objective)) return run.finish(Status::not_finite);
    if (!run.record(iteration, x, now)) return run.finish(Status::interrupted);
    if (early_stopping.stops(iteration, run.best())) return run.finish(Status::converged_objective);
    if (projected_gradient(x, gradient) <= options.min_gradient * now.objective)
      return run.finish(Status::converged_gradient);
    if (iteration == options.max_iterations) return run.finish(Status::max_iterations);

    // A component without influence would make the matrix singular: it gets a little of the
    // largest diagonal instead, and does not move, because its gradient is zero.
    double largest = 0.0;
    for (std::size_t i = 0; i < n; ++i) largest = std::max(largest, matrix[i * n + i]);
    for (std::size_t i = 0; i < n; ++i)
      diagonal[i] = std::max(matrix[i * n + i], 1e-9 * largest + 1e-30);

    for (;;) {
      double step_size = 0.0;
      bool accepted = false;
      if (box.solve(x, gradient, matrix, diagonal, damping)) {
        for (std::size_t i = 0; i < n; ++i) {
          candidate[i] = std::clamp(x[i] + box.step()[i], 0.0, 1.0);
          step_size = std::max(step_size, std::abs(candidate[i] - x[i]));
        }
        if (step_size <= options.min_step) return run.finish(Status::converged_step);
        const double value = problem.evaluate(candidate.data()).objective;
        run.count_evaluation();
        const double ratio = (now.objective - value) / box.predicted(gradient, matrix);
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
