#include "ceinms_torch/legacy/annealing.hpp"

#include "ceinms_torch/kernel/input_error.hpp"
#include "ceinms_torch/legacy/random.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace ceinms_torch::legacy {
namespace {

constexpr double infinite = std::numeric_limits<double>::max();  // DBL_MAX, as in the original

using kernel::InputError;

/// Without a coordinate no proposal would ever be made, and so none counted.
void check(std::span<const double> start, std::span<const double> lower,
           std::span<const double> upper) {
  if (start.empty()) throw InputError("start", "at least one parameter", "none");
  for (const auto& [name, bound] : {std::pair{"lower", lower}, std::pair{"upper", upper}})
    if (bound.size() != start.size())
      throw InputError(name, std::to_string(start.size()) + " numbers, one of each parameter",
                       std::to_string(bound.size()));
  for (std::size_t k = 0; k < start.size(); ++k) {
    if (!std::isfinite(start[k]) || !std::isfinite(lower[k]) || !std::isfinite(upper[k]))
      throw InputError("start, lower, upper", "finite numbers", "NaN or infinity");
    if (upper[k] < lower[k])
      throw InputError("upper", "to be at or above lower, " + kernel::number_text(lower[k]),
                       kernel::number_text(upper[k]));
  }
}

template <class Random>
class Annealer {
 public:
  Annealer(AnnealingKind kind, std::span<const double> start, std::span<const double> lower,
           std::span<const double> upper, const AnnealingOptions& options,
           const AnnealingHooks& hooks, Random random)
      : kind_(kind),
        lower_(lower),
        upper_(upper),
        options_(options),
        hooks_(hooks),
        random_(std::move(random)) {
    const std::size_t n = start.size();
    at_.x.assign(start.begin(), start.end());
    at_.best.assign(n, 0.0);
    at_.step.resize(n);
    for (std::size_t k = 0; k < n; ++k) at_.step[k] = (upper_[k] - lower_[k]) / 2.0;
    at_.n_accepted.assign(n, 0);
    at_.latest.assign(options.no_epsilon, infinite);
    at_.temperature = options.temperature;
    at_.f = at_.best_f = infinite;
  }

  AnnealingResult run(const AnnealingState* from) {
    bool is_under_way = from != nullptr;
    if (is_under_way) {
      at_ = *from;
      random_.restore(at_.random);
    }
    AnnealingStatus status = AnnealingStatus::max_iterations;
    const bool needs_start = options_.variant == AnnealingVariant::modern && !is_under_way;
    bool go_on = !needs_start || evaluate_start();
    if (!go_on) status = AnnealingStatus::interrupted;
    // A temperature that has begun is gone through, however many evaluations there were.
    while (go_on && (is_under_way || at_.evaluations < options_.max_no_eval)) {
      is_under_way = false;
      go_on = cool();
      ++at_.n_temperature;
      go_on = go_on && report();
      if (!go_on) {
        status = AnnealingStatus::interrupted;
        break;
      }
      at_.latest.front() = at_.f;
      const bool agrees = std::all_of(at_.latest.begin(), at_.latest.end(), [&](double f) {
        return std::abs(f - at_.best_f) <= options_.epsilon;
      });
      if (agrees) {
        status = AnnealingStatus::converged;
        break;
      }
      at_.temperature *= options_.rt;
      std::shift_right(at_.latest.begin(), at_.latest.end(), 1);
      at_.f = at_.best_f;
      at_.x = at_.best;
    }
    if (!(at_.best_f < infinite) && status != AnnealingStatus::interrupted)
      status = AnnealingStatus::not_finite;
    return {at_.best, at_.best_f, at_.evaluations, at_.n_temperature, status};
  }

 private:
  bool report() const {
    return hooks_.report(
        {at_.n_temperature, at_.temperature, at_.evaluations, at_.best_f, at_.best});
  }

  /// False if the caller asked to stop.
  bool evaluate_start() {
    const double f = hooks_.objective(at_.x);
    ++at_.evaluations;
    at_.best = at_.x;
    if (f < infinite) at_.f = at_.best_f = f;  // else the first proposal is accepted, anyhow
    return report();
  }

  /// All proposals of one temperature, or those that are left. False if the caller asked to stop.
  bool cool() {
    for (; at_.adjustment < options_.nt; ++at_.adjustment) {
      for (; at_.cycle < options_.ns; ++at_.cycle) {
        while (at_.next < at_.x.size()) {
          if (!propose(at_.next)) return false;
          ++at_.next;
          if (hooks_.keeps && hooks_.keeps()) keep();
        }
        at_.next = 0;
      }
      at_.cycle = 0;
      adjust_steps();
    }
    at_.adjustment = 0;
    return true;
  }

  void keep() {
    at_.random = random_.state();
    hooks_.keep(at_);
  }

  bool propose(std::size_t k) {
    const double before = at_.x[k];
    double value = before + at_.step[k] * (2.0 * random_.uniform() - 1.0);
    if (value < lower_[k] || value > upper_[k])
      value = lower_[k] + (upper_[k] - lower_[k]) * random_.uniform();
    at_.x[k] = value;
    const double f = hooks_.objective(at_.x);
    ++at_.evaluations;
    const bool ties = kind_ == AnnealingKind::hybrid;
    if (ties ? f <= at_.f : f < at_.f) {
      accept(k, f);
      if (ties ? f <= at_.best_f : f < at_.best_f) {
        at_.best_f = f;
        at_.best = at_.x;
      }
    } else if (random_.uniform() < std::exp((at_.f - f) / at_.temperature)) {
      accept(k, f);
    } else {
      at_.x[k] = before;
    }
    return !hooks_.go_on || hooks_.go_on();
  }

  void accept(std::size_t k, double f) {
    at_.f = f;
    ++at_.n_accepted[k];
  }

  void adjust_steps() {
    constexpr double c = 2.0;
    for (std::size_t k = 0; k < at_.x.size(); ++k) {
      const double ratio =
          kind_ == AnnealingKind::hybrid
              ? static_cast<double>(at_.n_accepted[k] / options_.ns)
              : static_cast<double>(at_.n_accepted[k]) / static_cast<double>(options_.ns);
      double& step = at_.step[k];
      if (ratio > 0.6) step *= 1.0 + c * (ratio - 0.6) / 0.4;
      if (ratio < 0.4) step /= 1.0 + c * (0.4 - ratio) / 0.4;
      step = std::min(step, upper_[k] - lower_[k]);
      at_.n_accepted[k] = 0;
    }
  }

  AnnealingKind kind_;
  std::span<const double> lower_;
  std::span<const double> upper_;
  const AnnealingOptions& options_;
  const AnnealingHooks& hooks_;
  Random random_;
  AnnealingState at_;
};

}  // namespace

void check(const AnnealingOptions& options) {
  if (options.no_epsilon < 1 || options.no_epsilon > AnnealingOptions::most_no_epsilon)
    throw InputError("no_epsilon", "1 to " + std::to_string(AnnealingOptions::most_no_epsilon),
                     std::to_string(options.no_epsilon));
  if (options.ns < 1 || options.nt < 1) throw InputError("ns, nt", "at least 1", "0");
  for (const double value : {options.rt, options.temperature, options.epsilon})
    if (!std::isfinite(value))
      throw InputError("rt, temperature, epsilon", "finite numbers", kernel::number_text(value));
}

AnnealingResult anneal(AnnealingKind kind, std::span<const double> start,
                       std::span<const double> lower, std::span<const double> upper,
                       const AnnealingOptions& options, const AnnealingHooks& hooks,
                       const AnnealingState* from) {
  check(options);
  check(start, lower, upper);
  const auto run = [&](auto random) {
    return Annealer(kind, start, lower, upper, options, hooks, std::move(random)).run(from);
  };
  if (options.variant == AnnealingVariant::modern) return run(PortableRandom(options.seed));
  return run(GlibcRandom(1));  // srand(1) before every search
}

}  // namespace ceinms_torch::legacy
