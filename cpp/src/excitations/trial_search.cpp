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
  double inverse = 0.0;  ///< of the slack of a bound, of the multiplier of a change
  double slack_step = 0.0;
  double dual_step = 0.0;
  double growth = 0.0;  ///< slack_step over slack

  /// What the product shall be after a step: mu, less what the last step's own product would add.
  double target(double mu) const { return mu - slack_step * dual_step; }
  double product(double of_slack, double of_dual) const {
    return (slack + of_slack * slack_step) * (dual + of_dual * dual_step);
  }
};

/// The change of an excitation from what was recorded: rise less fall.
struct Change {
  Pair rise;
  Pair fall;
  double stiffness = 0.0;  ///< how its multiplier, that of gamma |change|, grows with it

  double multiplier() const { return 0.5 * (fall.dual - rise.dual); }
  /// By how much it would grow if the multiplier stayed.
  double shift(double mu) const {
    return rise.target(mu) * rise.inverse - fall.target(mu) * fall.inverse -
           (rise.slack - fall.slack);
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
        stall_(100.0 * options.tolerance, 5),
        excitation_(n_step_ * n_lane_),
        next_(excitation_.size()),
        step_(excitation_.size()),
        variance_(excitation_.size()),
        offset_(excitation_.size()),
        pull_(excitation_.size()),
        curvature_(excitation_.size()),
        bound_(2 * n_step_ * n_),
        change_(n_step_ * n_tracked_),
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

  /// f(place among lanes, place among variables, its change or null) of every variable.
  template <class Function>
  void each(const Function& f) {
    Change* change = change_.data();
    std::size_t j = 0;
    for (std::size_t k = 0; k < n_step_; ++k)
      for (std::size_t i = 0; i < n_; ++i, ++j) {
        const bool is_tracked = i < n_tracked_;
        f(k * n_lane_ + i, j, is_tracked ? change : nullptr);
        if (is_tracked) ++change;
      }
  }
  template <class Function>
  void each_pair(const Function& f) {
    for (Pair& pair : bound_) f(pair);
    for (Change& change : change_) {
      f(change.rise);
      f(change.fall);
    }
  }

  void begin(const std::vector<double>& start);
  Status descend();
  bool factorise();
  void find_step(double mu);
  void forget_step() {
    each_pair([](Pair& pair) { pair.slack_step = pair.dual_step = 0.0; });
  }
  Lengths lengths();
  double log_growth(double part);
  bool move(const Evaluation& now, double mu);
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
  std::vector<Pair> bound_;     ///< (n_step, n, 2): of 0 and of 1
  std::vector<Change> change_;  ///< (n_step, n_tracked)
  std::vector<double> error_, next_error_, multiplier_;
  double least_diagonal_ = 0.0;
  double least_objective_ = 0.0;  ///< below it, nothing is left
  double part_ = 0.0;             ///< of the step that was taken
  double expected_ = 0.0;         ///< how much the model says the objective falls with it
};

void Search::begin(const std::vector<double>& start) {
  constexpr double margin = 0.01;
  for (std::size_t k = 0; k < n_step_; ++k)
    for (std::size_t i = 0; i < n_; ++i)
      excitation_[k * n_lane_ + i] = std::clamp(start[k * n_ + i], margin, 1.0 - margin);
  problem_.errors(excitation_.data(), error_.data());
  if (n_ == 0) return;
  linear_ = &problem_.linearise();
  const std::size_t n_state = engine::n_state(*linear_);
  covariance_ = AlignedBuffer(engine::covariance_size(*linear_, n_lane_));
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
  each([&](std::size_t at, std::size_t j, Change* change) {
    const double e = excitation_[at];
    bound_[2 * j] = {.slack = e, .dual = mu / e};
    bound_[2 * j + 1] = {.slack = 1.0 - e, .dual = mu / (1.0 - e)};
    if (change == nullptr) return;
    // p (gamma - nu) = q (gamma + nu) = mu and p - q = moved, but nu away from its ends.
    const double moved = e - objective_.recorded[j];
    const double h = mu / gamma;
    const double nu = moved == 0.0 ? 0.0 : (std::sqrt(h * h + moved * moved) - h) / moved;
    const double kept = std::clamp(nu, -0.999, 0.999);
    const double lesser = h / (1.0 + std::abs(kept));
    change->rise = {.slack = lesser + std::max(moved, 0.0), .dual = gamma * (1.0 - kept)};
    change->fall = {.slack = lesser - std::min(moved, 0.0), .dual = gamma * (1.0 + kept)};
  });
}

Status Search::descend() {
  const auto n_pair = static_cast<double>(bound_.size() + 2 * change_.size());
  expected_ = std::numeric_limits<double>::infinity();
  double lowest = std::numeric_limits<double>::infinity();
  double mu = std::numeric_limits<double>::infinity();
  for (int iteration = 0;; ++iteration) {
    const Evaluation now = evaluation(excitation_.data(), error_);
    if (const auto status = take(excitation_.data(), now)) return *status;
    const double left = gap();
    if (iteration == 0) least_objective_ = 1e-12 * now.objective;
    const double enough = tolerance_ * (now.objective + least_objective_);
    lowest = std::min(lowest, now.objective);
    // Where the curvature that is left out makes it slow, what is left is not worth waiting for.
    const bool stalls = stall_.stops(iteration, lowest) && left <= 1000.0 * enough;
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
    // How near to the end a step would get that heads for it says how far to go.
    forget_step();
    find_step(0.0);
    const Lengths free = lengths();
    const double reached = gap(std::min(free.slack, 1.0), std::min(free.dual, 1.0));
    mu = std::min(mu, square(reached / left) * reached / n_pair);
    if (!move(now, mu)) {
      end();
      return Status::converged_step;
    }
  }
}

bool Search::factorise() {
  each([&](std::size_t at, std::size_t j, Change* change) {
    double sum = 2.0 * objective_.beta + curvature_[at] + least_diagonal_;
    for (Pair* pair : {&bound_[2 * j], &bound_[2 * j + 1]}) {
      pair->inverse = 1.0 / pair->slack;
      sum += pair->dual * pair->inverse;
    }
    if (change != nullptr) {
      double compliance = 0.0;
      for (Pair* pair : {&change->rise, &change->fall}) {
        pair->inverse = 1.0 / pair->dual;
        compliance += pair->slack * pair->inverse;
      }
      change->stiffness = 1.0 / compliance;
      sum += change->stiffness;
    }
    variance_[at] = 1.0 / sum;
  });
  // The model has |error|^2, the algebra |error|^2 / noise + d^2 / variance.
  return algebra_.factor(*linear_, variance_.data(), 0.5, covariance_.data(), gain_.data(),
                         root_.data());
}

void Search::find_step(double mu) {
  each([&](std::size_t at, std::size_t j, const Change* change) {
    const Pair& lower = bound_[2 * j];
    const Pair& upper = bound_[2 * j + 1];
    double slope = 2.0 * objective_.beta * excitation_[at] - lower.target(mu) * lower.inverse +
                   upper.target(mu) * upper.inverse;
    if (change != nullptr) slope += change->multiplier() - change->stiffness * change->shift(mu);
    offset_[at] = -slope * variance_[at];
  });
  multiplier_ = error_;
  algebra_.solve(*linear_, gain_.data(), root_.data(), offset_.data(), multiplier_.data(),
                 state_.data(), pull_.data());
  each([&](std::size_t at, std::size_t j, Change* change) {
    const double step = step_[at] = offset_[at] + variance_[at] * pull_[at];
    const auto bound = [mu](Pair& pair, double slack_step) {
      pair.dual_step = (pair.target(mu) - pair.dual * slack_step) * pair.inverse - pair.dual;
      pair.slack_step = slack_step;
      pair.growth = slack_step * pair.inverse;
    };
    bound(bound_[2 * j], step);
    bound(bound_[2 * j + 1], -step);
    if (change == nullptr) return;
    const double multiplier_step = change->stiffness * (step - change->shift(mu));
    const auto part = [mu](Pair& pair, double dual_step) {
      pair.slack_step = (pair.target(mu) - pair.slack * dual_step) * pair.inverse - pair.slack;
      pair.growth = pair.slack_step / pair.slack;
      pair.dual_step = dual_step;
    };
    part(change->rise, -multiplier_step);
    part(change->fall, multiplier_step);
  });
}

Lengths Search::lengths() {
  // The largest share that a step takes away.
  double of_slack = 0.0;
  double of_dual = 0.0;
  each_pair([&](const Pair& pair) {
    of_slack = std::max(of_slack, -pair.growth);
    // Hardly ever: a division costs more than all the rest.
    if (-pair.dual_step > of_dual * pair.dual) of_dual = -pair.dual_step / pair.dual;
  });
  return {1.0 / of_slack, 1.0 / of_dual};
}

double Search::log_growth(double part) {
  // The logarithm of products: a slack shrinks to 0.005 of itself at most.
  constexpr int n_factor = 8;
  double sum = 0.0;
  double product = 1.0;
  int n = 0;
  each_pair([&](const Pair& pair) {
    product *= 1.0 + part * pair.growth;
    if (++n % n_factor != 0) return;
    sum += std::log(product);
    product = 1.0;
  });
  return sum + std::log(product);
}

bool Search::move(const Evaluation& now, double mu) {
  constexpr double inside = 0.995;
  constexpr double sufficient = 1e-3;
  constexpr int max_halvings = 12;
  const double visible = 1e-3 * tolerance_ * (now.objective + least_objective_);
  for (const bool is_corrected : {true, false}) {
    if (!is_corrected) forget_step();
    find_step(mu);
    const Lengths free = lengths();
    part_ = std::min(1.0, inside * free.slack);
    // The objective with - mu log of every slack, along the step: its moments are to be tried.
    double moment_slope = 0.0;
    double slope = 0.0;
    double curvature = 0.0;
    double growth = 0.0;
    for (std::size_t i = 0; i < error_.size(); ++i)
      moment_slope -= 2.0 * error_[i] * (error_[i] - 0.5 * multiplier_[i]);
    each([&](std::size_t at, std::size_t, const Change* change) {
      slope += 2.0 * objective_.beta * excitation_[at] * step_[at];
      curvature += objective_.beta * square(step_[at]);
      if (change != nullptr)
        slope += objective_.gamma * (change->rise.slack_step + change->fall.slack_step);
    });
    each_pair([&](const Pair& pair) { growth += pair.growth; });
    const double whole_slope = moment_slope + slope - mu * growth;
    if (!(whole_slope < 0.0)) continue;
    for (int i = is_corrected ? max_halvings : 0; i <= max_halvings; ++i, part_ *= 0.5) {
      each([&](std::size_t at, std::size_t, const Change*) {
        next_[at] = excitation_[at] + part_ * step_[at];
      });
      problem_.errors(next_.data(), next_error_.data());
      double change = part_ * (slope + part_ * curvature) - mu * log_growth(part_);
      for (const double error : next_error_) change += square(error);
      expected_ = -part_ * whole_slope;
      if (now.terms[0] - change > sufficient * expected_ || expected_ < visible) {
        const double dual_part = std::min(1.0, inside * free.dual);
        each_pair([&](Pair& pair) {
          pair.slack += part_ * pair.slack_step;
          pair.dual += dual_part * pair.dual_step;
        });
        std::swap(excitation_, next_);
        error_.swap(next_error_);
        return true;
      }
    }
  }
  return false;
}

void Search::measure_curvature() {
  constexpr double least_move = 1e-9;
  algebra_.transposed(*linear_, error_.data(), state_.data(), curvature_.data());
  linear_ = &problem_.linearise();
  algebra_.transposed(*linear_, error_.data(), state_.data(), pull_.data());
  each([&](std::size_t at, std::size_t, const Change*) {
    const double move = std::abs(part_ * step_[at]);
    curvature_[at] = move > least_move ? 2.0 * std::abs(pull_[at] - curvature_[at]) / move : 0.0;
  });
}

void Search::end() {
  // What is nearer to its end than its multiplier is to zero is there. The multipliers are of the
  // size of the weights.
  const double weight = 2.0 * objective_.beta + objective_.gamma;
  const auto is_zero = [weight](const Pair& pair) { return pair.slack * weight < pair.dual; };
  each([&](std::size_t at, std::size_t j, const Change* change) {
    double& e = next_[at] = excitation_[at];
    if (change != nullptr && is_zero(change->rise) && is_zero(change->fall))
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
  each([&](std::size_t at, std::size_t j, const Change*) {
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
