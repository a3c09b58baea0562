/// @file sampling.hpp
/// From an excitation signal to the samples that the activation filter takes: electromechanical
/// delay, run-in, third sample, interpolation. Every engine that knows a whole trial asks here.
#pragma once

#include "ceinms_torch/kernel/input_error.hpp"
#include "ceinms_torch/kernel/number.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

namespace ceinms_torch::kernel {

/// Tolerance with which CEINMS compares times [s] (reference B.2).
inline constexpr double time_tolerance = 1e-4;

/// `time_tolerance` in rows of a signal sampled at `rate` [Hz]; never more than half a row.
inline double row_tolerance(double rate) noexcept {
  return std::min(time_tolerance * rate, 0.5);
}

/// Row (fractional) of the excitation signal that acts at `time`: e(t - d^em) of eq. (1).
///
/// @param time        instant [s]
/// @param em_delay    electromechanical delay [s]
/// @param first_time  time of row 0 [s]
/// @param rate        rows per second [Hz]
template <class Time, class T, class Rate>
auto excitation_row(const Time& time, const T& em_delay, const Rate& first_time, const Rate& rate) {
  return (time - first_time) * rate - em_delay * rate;
}

/// How many samples the filter takes before the first step of the trial (reference B.2): the
/// rows of the signal that lie before `first_row`, the row acting at the first step.
inline std::size_t run_in_samples(double first_row, double rate) noexcept {
  return static_cast<std::size_t>(std::max(0.0, std::ceil(first_row - row_tolerance(rate))));
}

/// True when a sample at `row` is the start of the signal or later. Before row 0 the signal
/// ramps up from zero at row -1, so that a run-in sample more or less is a jump of at most the
/// tolerance times e(0).
inline bool has_started(double row, double rate) noexcept {
  return row > -1.0 + row_tolerance(rate);
}

/// Samples of the signal that the filter takes before FilterStart::ceinms restarts it.
inline constexpr std::size_t n_before_restart = 2;

/// Between two rows: e0 at fraction 0, e1 at fraction 1.
template <class E, class F>
auto interpolate(const E& e0, const E& e1, const F& fraction) {
  return e0 + fraction * (e1 - e0);
}

/// The instants of a trial, and the rows of the excitation signal that acts there.
struct SignalTimes {
  const double* time = nullptr;  ///< (n_step) [s], strictly increasing
  std::size_t n_step = 0;        ///< >= 1
  std::size_t n_row = 0;         ///< >= 1
  double start = 0.0;            ///< time of row 0 [s]
  double rate = 0.0;             ///< rows per second [Hz]
};

/// The samples of one MTU's filter in one trial: those of the run-in, one row apart, then one at
/// every step. What is asked for beyond the last step is that step's.
class Sampling {
 public:
  /// Between two rows: at row -1, which is zero, before the signal; at the last row after it.
  struct Place {
    std::ptrdiff_t below = -1;  ///< the row before it, -1 to n_row - 1
    double share = 0.0;         ///< of the row after it, 0..1
    bool moves = false;         ///< with the delay
  };
  struct Sample {
    double excitation;
    double by_delay;  ///< derivative by em_delay [1/s]
  };

  /// @throws InputError where the trial begins after the signal: its run-in is no longer than that
  /// @param em_delay  [s]
  /// @param n_run_in  samples before the first step, if these are more than it needs; they come
  ///                  before the signal
  Sampling(const SignalTimes& times, double em_delay, std::size_t n_run_in = 0)
      : times_(times), em_delay_(em_delay) {
    const double first_row = row_at_step(0);
    if (first_row - row_tolerance(times.rate) > static_cast<double>(times.n_row))
      throw InputError("excitation", "rows up to the first step, less the electromechanical delay",
                       std::to_string(times.n_row) + ", the last one before it");
    n_run_in_ = std::max(n_run_in, run_in_samples(first_row, times.rate));
  }

  std::size_t n_run_in() const noexcept { return n_run_in_; }
  std::size_t n_sample() const noexcept { return n_run_in_ + times_.n_step; }

  Place place(std::size_t sample) const noexcept {
    const double row = row_of(sample);
    if (!has_started(row, times_.rate)) return {};
    const double last = static_cast<double>(times_.n_row - 1);
    const double below = std::floor(std::min(row, last));
    return {static_cast<std::ptrdiff_t>(below), std::min(row, last) - below, row < last};
  }

  /// The sample of a signal whose rows are rows[0] to rows[n_row - 1].
  template <class Rows>
  Sample take(const Rows& rows, std::size_t sample) const noexcept {
    const Place at = place(sample);
    const auto above = static_cast<std::size_t>(at.below + 1);
    const double e0 = at.below < 0 ? 0.0 : rows[above - 1];
    const double e1 = rows[std::min(above, times_.n_row - 1)];
    return {interpolate(e0, e1, at.share), at.moves ? -times_.rate * (e1 - e0) : 0.0};
  }
  /// Its transpose: add the derivative by a sample to those by the rows.
  template <class Rows>
  void add_to_rows(const Rows& by_row, std::size_t sample, double derivative) const noexcept {
    const Place at = place(sample);
    const auto above = static_cast<std::size_t>(at.below + 1);
    if (at.below >= 0) by_row[above - 1] += (1.0 - at.share) * derivative;
    if (above < times_.n_row) by_row[above] += at.share * derivative;
  }

  /// The sample before which FilterStart::ceinms restarts the filter, or n_sample().
  std::size_t third_sample() const noexcept {
    std::size_t first = 0;
    while (first < n_sample() && !has_started(row_of(first), times_.rate)) ++first;
    return std::min(first + n_before_restart, n_sample());
  }

 private:
  double row_at_step(std::size_t step) const noexcept {
    return excitation_row(times_.time[std::min(step, times_.n_step - 1)], em_delay_, times_.start,
                          times_.rate);
  }
  double row_of(std::size_t sample) const noexcept {
    if (sample >= n_run_in_) return row_at_step(sample - n_run_in_);
    return row_at_step(0) - static_cast<double>(n_run_in_ - sample);
  }

  SignalTimes times_;
  double em_delay_;
  std::size_t n_run_in_;
};

}  // namespace ceinms_torch::kernel
