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
        random_(std::move(random)),
        x_(start.begin(), start.end()),
        best_(x_.size(), 0.0),
        step_(x_.size()),
        n_accepted_(x_.size(), 0),
        latest_(options.no_epsilon, infinite) {
    for (std::size_t k = 0; k < x_.size(); ++k) step_[k] = (upper_[k] - lower_[k]) / 2.0;
  }

  AnnealingResult run() {
    AnnealingStatus status = AnnealingStatus::max_iterations;
    double temperature = options_.temperature;
    bool go_on = options_.variant == AnnealingVariant::ceinms || evaluate_start();
    if (!go_on) status = AnnealingStatus::interrupted;
    while (go_on && evaluations_ < options_.max_no_eval) {
      go_on = cool_at(temperature);
      ++n_temperature_;
      go_on = go_on && report(temperature);
      if (!go_on) {
        status = AnnealingStatus::interrupted;
        break;
      }
      latest_.front() = f_;
      const bool agrees = std::all_of(latest_.begin(), latest_.end(), [&](double f) {
        return std::abs(f - best_f_) <= options_.epsilon;
      });
      if (agrees) {
        status = AnnealingStatus::converged;
        break;
      }
      temperature *= options_.rt;
      std::shift_right(latest_.begin(), latest_.end(), 1);
      f_ = best_f_;
      x_ = best_;
    }
    if (!(best_f_ < infinite) && status != AnnealingStatus::interrupted)
      status = AnnealingStatus::not_finite;
    return {best_, best_f_, evaluations_, n_temperature_, status};
  }

 private:
  bool report(double temperature) const {
    return hooks_.report({n_temperature_, temperature, evaluations_, best_f_, best_});
  }

  /// False if the caller asked to stop.
  bool evaluate_start() {
    const double f = hooks_.objective(x_);
    ++evaluations_;
    best_ = x_;
    if (f < infinite) f_ = best_f_ = f;  // else the first proposal is accepted, whatever it is
    return report(options_.temperature);
  }

  /// All proposals of one temperature. False if the caller asked to stop.
  bool cool_at(double temperature) {
    for (std::size_t i = 0; i < options_.nt; ++i) {
      for (std::size_t j = 0; j < options_.ns; ++j)
        for (std::size_t k = 0; k < x_.size(); ++k)
          if (!propose(k, temperature)) return false;
      adjust_steps();
    }
    return true;
  }

  bool propose(std::size_t k, double temperature) {
    const double before = x_[k];
    double value = before + step_[k] * (2.0 * random_.uniform() - 1.0);
    if (value < lower_[k] || value > upper_[k])
      value = lower_[k] + (upper_[k] - lower_[k]) * random_.uniform();
    x_[k] = value;
    const double f = hooks_.objective(x_);
    ++evaluations_;
    const bool ties = kind_ == AnnealingKind::hybrid;
    if (ties ? f <= f_ : f < f_) {
      accept(k, f);
      if (ties ? f <= best_f_ : f < best_f_) {
        best_f_ = f;
        best_ = x_;
      }
    } else if (random_.uniform() < std::exp((f_ - f) / temperature)) {
      accept(k, f);
    } else {
      x_[k] = before;
    }
    return !hooks_.go_on || hooks_.go_on();
  }

  void accept(std::size_t k, double f) {
    f_ = f;
    ++n_accepted_[k];
  }

  void adjust_steps() {
    constexpr double c = 2.0;
    for (std::size_t k = 0; k < x_.size(); ++k) {
      const double ratio =
          kind_ == AnnealingKind::hybrid
              ? static_cast<double>(n_accepted_[k] / options_.ns)
              : static_cast<double>(n_accepted_[k]) / static_cast<double>(options_.ns);
      if (ratio > 0.6) step_[k] *= 1.0 + c * (ratio - 0.6) / 0.4;
      if (ratio < 0.4) step_[k] /= 1.0 + c * (0.4 - ratio) / 0.4;
      step_[k] = std::min(step_[k], upper_[k] - lower_[k]);
      n_accepted_[k] = 0;
    }
  }

  AnnealingKind kind_;
  std::span<const double> lower_;
  std::span<const double> upper_;
  const AnnealingOptions& options_;
  const AnnealingHooks& hooks_;
  Random random_;
  std::vector<double> x_;
  std::vector<double> best_;
  std::vector<double> step_;
  std::vector<std::size_t> n_accepted_;
  std::vector<double> latest_;  ///< objective after the last temperatures, the latest first
  double f_ = infinite;
  double best_f_ = infinite;
  std::uint64_t evaluations_ = 0;
  std::size_t n_temperature_ = 0;
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
                       const AnnealingOptions& options, const AnnealingHooks& hooks) {
  check(options);
  check(start, lower, upper);
  const auto run = [&](auto random) {
    return Annealer(kind, start, lower, upper, options, hooks, std::move(random)).run();
  };
  if (options.variant == AnnealingVariant::modern) return run(PortableRandom(options.seed));
  return run(GlibcRandom(1));  // srand(1) before every search
}

}  // namespace ceinms_torch::legacy
