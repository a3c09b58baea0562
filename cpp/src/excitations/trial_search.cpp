#include "ceinms_torch/excitations/trial_search.hpp"

#include "ceinms_torch/calibration/optimiser_run.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

namespace ceinms_torch::excitations {
namespace {

using calibration::Evaluation;
using calibration::Minimum;
using calibration::Status;
using engine::AlignedBuffer;
using engine::ExcitationProblem;

double square(double x) {
  return x * x;
}

/// A slack and its multiplier, both > 0, whose product goes to zero; and a step of both.
struct Pair {
  double slack;
  double dual;
  double slack_step = 0.0;
  double dual_step = 0.0;

  /// What the product shall be after a step: mu, less what the last step's own product would add.
  double target(double mu) const { return mu - slack_step * dual_step; }
  double product(double of_slack, double of_dual) const {
    return (slack + of_slack * slack_step) * (dual + of_dual * dual_step);
  }
};

/// The part of a step, of slacks and of multipliers, at which one of them is zero.
struct Lengths {
  double slack;
  double dual;
};

class Search {
 public:
  Search(ExcitationProblem& problem, const TrialObjective& objective,
         const TrialSearchOptions& options, const calibration::Progress& progress)
      : problem_(problem),
        objective_(objective),
        tolerance_(options.tolerance),
        algebra_(*problem.backend().linear_trial),
        n_step_(problem.n_step()),
        n_(problem.n_searched()),
        n_lane_(problem.n_lane()),
        n_dof_(problem.n_counted()),
        n_tracked_(objective.gamma > 0.0 ? objective.n_adjusted : 0),
        run_(Rules{0.0, options.max_iterations + 1, options.max_iterations}, progress),
        stall_(10.0 * options.tolerance, 5),
        excitation_(n_step_ * n_lane_),
        next_(excitation_.size()),
        step_(excitation_.size()),
        variance_(excitation_.size()),
        offset_(excitation_.size()),
        pull_(excitation_.size()),
        curvature_(excitation_.size()),
        bound_(2 * n_step_ * n_),
        change_(2 * n_step_ * n_tracked_),
        error_(n_step_ * n_dof_),
        next_error_(error_.size()),
        multiplier_(error_.size()) {}

  Minimum operator()(const std::vector<double>& start) {
    begin(start);
    return run_.finish(n_ == 0 ? run_.take({}, evaluation(excitation_.data(), error_))
                                     .value_or(Status::converged_objective)
                               : descend());
  }

 private:
  struct Rules {
    double min_improvement;
    int patience;
    int max_iterations;
  };

  /// f(place among lanes, place among variables, pairs of the change or null) of every variable.
  template <class Function>
  void each(const Function& f) {
    Pair* change = change_.data();
    std::size_t j = 0;
    for (std::size_t k = 0; k < n_step_; ++k)
      for (std::size_t i = 0; i < n_; ++i, ++j) {
        const bool is_tracked = i < n_tracked_;
        f(k * n_lane_ + i, j, is_tracked ? change : nullptr);
        if (is_tracked) change += 2;
      }
  }
  template <class Function>
  void each_pair(const Function& f) {
    for (Pair& pair : bound_) f(pair);
    for (Pair& pair : change_) f(pair);
  }

  void begin(const std::vector<double>& start);
  Status descend();
  bool factorise();
  void find_step(double mu);
  Lengths lengths();
  bool move(double before);
  void measure_curvature();
  void end();

  double gap(double of_slack = 0.0, double of_dual = 0.0) {
    double sum = 0.0;
    each_pair([&](const Pair& pair) { sum += pair.product(of_slack, of_dual); });
    return sum;
  }
  Evaluation evaluation(const double* excitation, const std::vector<double>& error);
  std::optional<Status> take(const double* excitation, const Evaluation& now);

  ExcitationProblem& problem_;
  const TrialObjective& objective_;
  double tolerance_;
  const engine::LinearTrialAlgebra& algebra_;
  std::size_t n_step_, n_, n_lane_, n_dof_, n_tracked_;
  calibration::OptimiserRun run_;
  calibration::EarlyStopping stall_;
  const engine::LinearTrial* linear_ = nullptr;
  AlignedBuffer excitation_, next_, step_;  ///< (n_step, n_lane), as all of these
  AlignedBuffer variance_;                  ///< one over the diagonal of the model
  AlignedBuffer offset_;                    ///< the step without moments
  AlignedBuffer pull_;                      ///< of the moment errors
  AlignedBuffer curvature_;                 ///< what Gauss-Newton leaves out
  AlignedBuffer covariance_, gain_, root_, state_;
  std::vector<Pair> bound_;   ///< (n_step, n, 2): of 0 and of 1
  std::vector<Pair> change_;  ///< (n_step, n_tracked, 2): rise and fall
  std::vector<double> error_, next_error_, multiplier_;
  double least_diagonal_ = 0.0;
  double part_ = 0.0;      ///< of the step that was taken
  double expected_ = 0.0;  ///< how much the model says the objective falls with it
};

void Search::begin(const std::vector<double>& start) {
  constexpr double margin = 0.01;
  for (std::size_t k = 0; k < n_step_; ++k)
    for (std::size_t i = 0; i < n_; ++i)
      excitation_[k * n_lane_ + i] = std::clamp(start[k * n_ + i], margin, 1.0 - margin);
  problem_.errors(excitation_.data(), error_.data());
  if (n_ == 0) return;
  linear_ = &problem_.linearise();
  const std::size_t n_state = engine::n_state(linear_->is_stiff);
  covariance_ = AlignedBuffer(engine::covariance_size(linear_->is_stiff, n_lane_));
  gain_ = AlignedBuffer(n_step_ * n_dof_ * n_state * n_lane_);
  root_ = AlignedBuffer(n_step_ * n_dof_ * n_dof_);
  state_ = AlignedBuffer(n_state * n_lane_);

  double moment = 0.0;
  for (const double error : error_) moment += square(error);
  moment /= static_cast<double>(n_step_ * n_);
  // Enough to tell apart what the moments leave free, if no weight does.
  least_diagonal_ = 1e-9 * moment + 1e-12;
  const double gamma = n_tracked_ > 0 ? objective_.gamma : 0.0;
  const double mu = 2.0 * objective_.beta + gamma + 1e-3 * moment + 1e-12;
  each([&](std::size_t at, std::size_t j, Pair* change) {
    const double e = excitation_[at];
    bound_[2 * j] = {e, mu / e};
    bound_[2 * j + 1] = {1.0 - e, mu / (1.0 - e)};
    if (change == nullptr) return;
    // p (gamma - nu) = q (gamma + nu) = mu and p - q = moved, but nu away from its ends.
    const double moved = e - objective_.recorded[j];
    const double h = mu / gamma;
    const double nu = moved == 0.0 ? 0.0 : (std::sqrt(h * h + moved * moved) - h) / moved;
    const double kept = std::clamp(nu, -0.999, 0.999);
    const double lesser = h / (1.0 + std::abs(kept));
    change[0] = {lesser + std::max(moved, 0.0), gamma * (1.0 - kept)};
    change[1] = {lesser - std::min(moved, 0.0), gamma * (1.0 + kept)};
  });
}

Status Search::descend() {
  const auto n_pair = static_cast<double>(bound_.size() + change_.size());
  expected_ = std::numeric_limits<double>::infinity();
  double lowest = std::numeric_limits<double>::infinity();
  for (int iteration = 0;; ++iteration) {
    const Evaluation now = evaluation(excitation_.data(), error_);
    if (const auto status = take(excitation_.data(), now)) return *status;
    const double left = gap();
    const double enough = tolerance_ * now.objective;
    lowest = std::min(lowest, now.objective);
    const bool stalls = stall_.stops(iteration, lowest) && left <= 100.0 * enough;
    if (stalls || (left <= enough && expected_ <= enough)) {
      end();
      return Status::converged_objective;
    }
    if (iteration > 0) {
      // Where errors are less than half of the objective, curvature is of no use (a slack of
      // moments that can be met is narrow and curved, and Newton's step would be damped by it).
      const bool counts = now.terms[0] > 0.5 * now.objective;
      if (counts)
        measure_curvature();
      else {
        std::fill_n(curvature_.data(), curvature_.size(), 0.0);
        linear_ = &problem_.linearise();
      }
    }
    if (!factorise()) return Status::not_finite;
    each_pair([](Pair& pair) { pair.slack_step = pair.dual_step = 0.0; });
    find_step(0.0);
    const Lengths free = lengths();
    const double reached = gap(std::min(free.slack, 1.0), std::min(free.dual, 1.0));
    find_step(square(reached / left) * reached / n_pair);
    if (!move(now.terms[0])) {
      end();
      return Status::converged_step;
    }
  }
}

bool Search::factorise() {
  each([&](std::size_t at, std::size_t j, const Pair* change) {
    const Pair& lower = bound_[2 * j];
    const Pair& upper = bound_[2 * j + 1];
    double diagonal = 2.0 * objective_.beta + lower.dual / lower.slack + upper.dual / upper.slack +
                      curvature_[at] + least_diagonal_;
    if (change != nullptr)
      diagonal += 1.0 / (change[0].slack / change[0].dual + change[1].slack / change[1].dual);
    variance_[at] = 1.0 / diagonal;
  });
  // The model has |error|^2, the algebra |error|^2 / noise + d^2 / variance.
  return algebra_.factor(*linear_, variance_.data(), 0.5, covariance_.data(), gain_.data(),
                         root_.data());
}

void Search::find_step(double mu) {
  // How much a rise would be above a fall, were their multipliers to stay.
  const auto shift = [mu](const Pair* change) {
    return change[0].target(mu) / change[0].dual - change[1].target(mu) / change[1].dual -
           (change[0].slack - change[1].slack);
  };
  const auto stiffness = [](const Pair* change) {
    return 1.0 / (change[0].slack / change[0].dual + change[1].slack / change[1].dual);
  };
  each([&](std::size_t at, std::size_t j, const Pair* change) {
    const Pair& lower = bound_[2 * j];
    const Pair& upper = bound_[2 * j + 1];
    double slope = 2.0 * objective_.beta * excitation_[at] - lower.target(mu) / lower.slack +
                   upper.target(mu) / upper.slack;
    if (change != nullptr)
      slope += 0.5 * (change[1].dual - change[0].dual) - stiffness(change) * shift(change);
    offset_[at] = -slope * variance_[at];
  });
  multiplier_ = error_;
  algebra_.solve(*linear_, gain_.data(), root_.data(), offset_.data(), multiplier_.data(),
                 state_.data(), pull_.data());
  each([&](std::size_t at, std::size_t j, Pair* change) {
    const double step = step_[at] = offset_[at] + variance_[at] * pull_[at];
    const auto bound = [&](Pair& pair, double slack_step) {
      pair.dual_step = (pair.target(mu) - pair.dual * slack_step) / pair.slack - pair.dual;
      pair.slack_step = slack_step;
    };
    bound(bound_[2 * j], step);
    bound(bound_[2 * j + 1], -step);
    if (change == nullptr) return;
    const double nu_step = stiffness(change) * (step - shift(change));
    const auto part = [&](Pair& pair, double dual_step) {
      pair.slack_step = (pair.target(mu) - pair.slack * dual_step) / pair.dual - pair.slack;
      pair.dual_step = dual_step;
    };
    part(change[0], -nu_step);
    part(change[1], nu_step);
  });
}

Lengths Search::lengths() {
  // The largest share that a step takes away.
  double of_slack = 0.0;
  double of_dual = 0.0;
  each_pair([&](const Pair& pair) {
    of_slack = std::max(of_slack, -pair.slack_step / pair.slack);
    of_dual = std::max(of_dual, -pair.dual_step / pair.dual);
  });
  return {1.0 / of_slack, 1.0 / of_dual};
}

bool Search::move(double moment_before) {
  constexpr double inside = 0.995;
  constexpr double sufficient = 0.1;
  constexpr int max_halvings = 12;
  const Lengths free = lengths();
  part_ = std::min(1.0, inside * free.slack);
  const double dual_part = std::min(1.0, inside * free.dual);
  double slope = 0.0;  // of all but the moments, along the step
  double curvature = 0.0;
  each([&](std::size_t at, std::size_t, const Pair*) {
    slope -= offset_[at] / variance_[at] * step_[at];
    curvature += square(step_[at]) / variance_[at];
  });
  double moved = 0.0;  // |J step|^2
  for (std::size_t i = 0; i < error_.size(); ++i) moved += square(error_[i] - 0.5 * multiplier_[i]);
  const double visible = 1e-3 * tolerance_ * moment_before;
  for (int i = 0;; ++i) {
    each([&](std::size_t at, std::size_t, const Pair*) {
      next_[at] = excitation_[at] + part_ * step_[at];
    });
    problem_.errors(next_.data(), next_error_.data());
    double moment = 0.0;
    for (const double error : next_error_) moment += square(error);
    const double rest = part_ * (slope + 0.5 * part_ * curvature);
    expected_ = part_ * (1.0 - 0.5 * part_) * (2.0 * moved + curvature);
    if (moment_before - moment - rest > sufficient * expected_ || expected_ < visible) break;
    if (i == max_halvings) return false;
    part_ *= 0.5;
  }
  each_pair([&](Pair& pair) {
    pair.slack += part_ * pair.slack_step;
    pair.dual += dual_part * pair.dual_step;
  });
  std::swap(excitation_, next_);
  error_.swap(next_error_);
  return true;
}

void Search::measure_curvature() {
  constexpr double least_move = 1e-9;
  algebra_.transposed(*linear_, error_.data(), state_.data(), curvature_.data());
  linear_ = &problem_.linearise();
  algebra_.transposed(*linear_, error_.data(), state_.data(), pull_.data());
  each([&](std::size_t at, std::size_t, const Pair*) {
    const double move = std::abs(part_ * step_[at]);
    curvature_[at] = move > least_move ? 2.0 * std::abs(pull_[at] - curvature_[at]) / move : 0.0;
  });
}

void Search::end() {
  // What is nearer to its end than its multiplier is to zero is there. The multipliers are of the
  // size of the weights.
  const double weight = 2.0 * objective_.beta + objective_.gamma;
  const auto is_zero = [weight](const Pair& pair) { return pair.slack * weight < pair.dual; };
  each([&](std::size_t at, std::size_t j, const Pair* change) {
    double& e = next_[at] = excitation_[at];
    if (change != nullptr && is_zero(change[0]) && is_zero(change[1]))
      e = objective_.recorded[j];
    else if (is_zero(bound_[2 * j]))
      e = 0.0;
    else if (is_zero(bound_[2 * j + 1]))
      e = 1.0;
  });
  problem_.errors(next_.data(), next_error_.data());
  take(next_.data(), evaluation(next_.data(), next_error_));
}

Evaluation Search::evaluation(const double* excitation, const std::vector<double>& error) {
  Evaluation now{0.0, {0.0, objective_.effort_of_others, 0.0}, std::vector<double>(n_dof_)};
  for (std::size_t i = 0; i < error.size(); ++i) now.rmse[i % n_dof_] += square(error[i]);
  for (double& sum : now.rmse) {
    now.terms[0] += sum;
    sum = std::sqrt(sum / static_cast<double>(n_step_));
  }
  each([&](std::size_t at, std::size_t j, const Pair*) {
    now.terms[1] += square(excitation[at]);
    if (j % n_ < objective_.n_adjusted)
      now.terms[2] += std::abs(excitation[at] - objective_.recorded[j]);
  });
  now.terms[1] *= objective_.beta;
  now.terms[2] *= objective_.gamma;
  for (const double term : now.terms) now.objective += term;
  return now;
}

std::optional<Status> Search::take(const double* excitation, const Evaluation& now) {
  std::vector<double> x(n_step_ * n_);
  for (std::size_t k = 0; k < n_step_; ++k)
    std::copy_n(excitation + k * n_lane_, n_, x.data() + k * n_);
  return run_.take(x, now);
}

}  // namespace

Minimum search_trial(ExcitationProblem& problem, const TrialObjective& objective,
                     const std::vector<double>& start, const TrialSearchOptions& options,
                     const calibration::Progress& progress) {
  return Search(problem, objective, options, progress)(start);
}

}  // namespace ceinms_torch::excitations
