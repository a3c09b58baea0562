#include "ceinms_torch/legacy/gradient_search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace ceinms_torch::legacy {

GradientSearch::GradientSearch(const FrameProblem& problem)
    : n_(problem.searched().size()),
      n_dof_(problem.options().dofs.size()),
      arm_(n_dof_ * n_),
      error_of_others_(n_dof_),
      step_(n_, n_dof_),
      now_{std::vector<double>(n_), std::vector<double>(n_), std::vector<double>(n_dof_)},
      next_(now_),
      curvature_(n_),
      diagonal_(n_),
      scale_(n_),
      best_(n_) {}

std::size_t GradientSearch::search(FrameProblem& problem) {
  begin_frame(problem);
  double lowest = std::numeric_limits<double>::infinity();
  const auto descend_from = [&](auto&& start) {
    for (std::size_t i = 0; i < n_; ++i) now_.x[i] = std::clamp<double>(start(i), 0.0, 1.0);
    evaluate(problem, now_);
    descend(problem);
    if (!(now_.objective < lowest)) return;
    lowest = now_.objective;
    best_ = now_.x;
  };
  for (std::size_t i = 0; i < n_; ++i) best_[i] = problem.start(i);
  descend_from([&](std::size_t i) { return problem.model().past(problem.searched()[i]); });
  if (is_doubtful_ || problem.model().frame() == 0) {
    descend_from([&](std::size_t i) { return problem.start(i); });
    descend_from([](std::size_t) { return 0.0; });
  }
  problem.objective(best_);
  return evaluations_;
}

void GradientSearch::begin_frame(const FrameProblem& problem) {
  const FrameModel& model = problem.model();
  const HybridOptions& options = problem.options();
  evaluations_ = 0;
  is_doubtful_ = false;
  step_.alpha = options.alpha;
  effort_of_others_ = problem.terms().effort;
  for (std::size_t d = 0; d < n_dof_; ++d)
    error_of_others_[d] = problem.measured(d) - model.moment(options.dofs[d]);
  for (std::size_t i = 0; i < n_; ++i) {
    const std::size_t mtu = problem.searched()[i];
    step_.weight[i] = problem.is_adjusted(i) ? options.gamma : 0.0;
    step_.kink[i] = model.recorded(mtu);
    effort_of_others_ -= model.excitation(mtu) * model.excitation(mtu);
    for (std::size_t d = 0; d < n_dof_; ++d) {
      arm_[d * n_ + i] = model.trial().moment_arm(options.dofs[d], mtu)[model.frame()];
      error_of_others_[d] += arm_[d * n_ + i] * model.force(mtu);
    }
  }
}

void GradientSearch::evaluate(FrameProblem& problem, Point& point) {
  FrameTerms terms{.effort = effort_of_others_};
  point.error = error_of_others_;
  for (std::size_t i = 0; i < n_; ++i) {
    const ForceSlope force = problem.model().force_slope(problem.searched()[i], point.x[i]);
    point.slope[i] = force.by_excitation;
    is_doubtful_ |= force.has_failed;
    for (std::size_t d = 0; d < n_dof_; ++d) point.error[d] -= arm_[d * n_ + i] * force.force;
    terms.effort += point.x[i] * point.x[i];
    if (problem.is_adjusted(i)) terms.tracking += std::abs(point.x[i] - step_.kink[i]);
  }
  for (const double error : point.error) terms.moment += error * error;
  point.objective = terms.objective(problem.options());
  ++evaluations_;
}

void GradientSearch::descend(FrameProblem& problem) {
  constexpr int max_iterations = 40;
  constexpr double converged = 1e-7;  // of the objective
  constexpr double first_damping = 1e-3;
  double damping = 0.0;
  linearise(problem.options());
  for (int i = 0; i < max_iterations; ++i) {
    for (std::size_t k = 0; k < n_; ++k) step_.diagonal[k] = diagonal_[k] + damping * scale_[k];
    const double expected = step_.solve();
    const double visible = converged * std::abs(now_.objective);
    if (!(expected > visible)) {
      is_doubtful_ |= !(expected >= -visible);  // the step was not solved
      return;
    }
    next_.x = step_.y();
    evaluate(problem, next_);
    measure_curvature();
    if (next_.objective < now_.objective) {
      const double gained = now_.objective - next_.objective;
      const double share = gained / expected;
      std::swap(now_, next_);
      // A full step of Newton's method leaves less than it misjudged. (A small step only: the
      // errors of several excitations may cancel.)
      if (damping == 0.0 && expected < 1e4 * visible && std::abs(gained - expected) < visible)
        return;
      if (share > 0.75) damping = damping > first_damping ? 0.1 * damping : 0.0;
      if (share < 0.25) damping = std::max(first_damping, 4.0 * damping);
    } else {
      damping = std::max(first_damping, 10.0 * damping);
    }
    linearise(problem.options());
  }
  is_doubtful_ = true;
}

void GradientSearch::linearise(const HybridOptions& options) {
  constexpr double least_curvature = 1e-10;  // over that of the moments
  step_.x = now_.x;
  step_.residual = now_.error;
  for (std::size_t i = 0; i < n_; ++i) {
    double by_force = 0.0;
    double square = 0.0;
    for (std::size_t d = 0; d < n_dof_; ++d) {
      const double arm = arm_[d * n_ + i];
      by_force -= 2.0 * options.alpha * now_.error[d] * arm;
      step_.jacobian[d * n_ + i] = arm * now_.slope[i];
      square += step_.jacobian[d * n_ + i] * step_.jacobian[d * n_ + i];
    }
    step_.linear[i] = 2.0 * options.beta * now_.x[i];
    scale_[i] =
        2.0 * options.alpha * square + 2.0 * options.beta + std::numeric_limits<double>::min();
    // Where the objective is concave a step as long as where it is convex: away from a saddle.
    diagonal_[i] = std::max(std::abs(2.0 * options.beta + by_force * curvature_[i]),
                            least_curvature * scale_[i]);
  }
}

void GradientSearch::measure_curvature() {
  constexpr double least_move = 1e-9;
  for (std::size_t i = 0; i < n_; ++i) {
    const double move = next_.x[i] - now_.x[i];
    const double curvature = (next_.slope[i] - now_.slope[i]) / move;
    // Kept for later frames: one that is no number would spoil them.
    if (std::abs(move) > least_move && std::isfinite(curvature)) curvature_[i] = curvature;
  }
}

}  // namespace ceinms_torch::legacy
