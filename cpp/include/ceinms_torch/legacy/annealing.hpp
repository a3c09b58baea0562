/// @file annealing.hpp
/// CEINMS's simulated annealing (after Goffe and Corana), draw by draw (reference D.5, E).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace ceinms_torch::legacy {

/// CEINMS has the algorithm twice, with differences.
enum class AnnealingKind {
  calibration,
  /// Equal values are accepted, and the ratio that steers step lengths is an integer division,
  /// so that it is 0 unless all proposals were accepted (quirk F26).
  hybrid
};

enum class AnnealingVariant {
  ceinms,  ///< the random numbers of CEINMS; the start is never evaluated
  modern   ///< those of `PortableRandom`, by seed; the start is evaluated and counts as seen
};

/// Settings under their XML names, and the seed.
struct AnnealingOptions {
  static constexpr std::size_t most_no_epsilon = 1'000'000;

  std::size_t no_epsilon;     ///< temperatures that must agree, 1 to most_no_epsilon
  double rt;                  ///< factor on the temperature
  double temperature;         ///< T, at the start, in units of the objective
  std::size_t ns;             ///< cycles before step lengths are adjusted, >= 1
  std::size_t nt;             ///< adjustments before the temperature falls, >= 1
  double epsilon;             ///< largest difference that counts as none
  std::uint64_t max_no_eval;  ///< no temperature begins after this many evaluations
  AnnealingVariant variant = AnnealingVariant::ceinms;
  std::uint64_t seed = 0;  ///< of the modern variant
};

/// @throws InputError where a setting is not as described
void check(const AnnealingOptions& options);

/// The state after a temperature.
struct Temperature {
  std::size_t number;            ///< from 1; 0 is an evaluated start
  double temperature;            ///< at which the proposals were judged
  std::uint64_t evaluations;     ///< so far
  double objective;              ///< the lowest so far
  const std::vector<double>& x;  ///< where
};

/// All that a search goes on from, between two proposals.
struct AnnealingState {
  std::vector<double> x;
  std::vector<double> best;
  std::vector<double> step;
  std::vector<std::size_t> n_accepted;  ///< since steps were adjusted
  std::vector<double> latest;           ///< objective after the last temperatures, latest first
  double temperature = 0.0;
  double f = 0.0;  ///< of x
  double best_f = 0.0;
  std::uint64_t evaluations = 0;
  std::size_t n_temperature = 0;  ///< those that are over
  std::size_t adjustment = 0;     ///< of this temperature, from 0
  std::size_t cycle = 0;          ///< of this adjustment
  std::size_t next = 0;           ///< component that is proposed next
  std::string random{};           ///< state of the generator
};

enum class AnnealingStatus {
  converged,       ///< the last temperatures agree
  max_iterations,  ///< max_no_eval
  interrupted,     ///< the caller asked to stop
  not_finite       ///< no proposal had an objective below the largest number
};

struct AnnealingResult {
  std::vector<double> x;  ///< the best point
  double objective;
  std::uint64_t evaluations;
  std::size_t temperatures;
  AnnealingStatus status;
};

/// What annealing needs to know of its caller.
struct AnnealingHooks {
  std::function<double(std::span<const double>)> objective;
  /// After every temperature; false stops.
  std::function<bool(const Temperature&)> report;
  /// After every evaluation; false stops at once. May be empty.
  std::function<bool()> go_on;
  /// After every proposal: whether to hand out the state. May be empty.
  std::function<bool()> keeps{};
  std::function<void(const AnnealingState&)> keep{};
};

/// Minimise within bounds. In the variant of CEINMS the start is never evaluated: the first
/// proposal is always accepted. In the modern one the result is never worse than the start.
///
/// @param start        (n), n >= 1, may be outside the bounds; a coordinate is checked when
/// proposed
/// @param lower,upper  (n), lower <= upper
/// @param from         where an earlier search with the same arguments was, or null; it goes on to
///                     the very result that it would have had
/// @throws InputError where these are not as described, or options are not
AnnealingResult anneal(AnnealingKind kind, std::span<const double> start,
                       std::span<const double> lower, std::span<const double> upper,
                       const AnnealingOptions& options, const AnnealingHooks& hooks,
                       const AnnealingState* from = nullptr);

}  // namespace ceinms_torch::legacy
