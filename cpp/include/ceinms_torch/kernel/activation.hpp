/// @file activation.hpp
/// Excitation to activation, eqs. (1) and (2).
#pragma once

#include "ceinms_torch/kernel/number.hpp"

#include <utility>

namespace ceinms_torch::kernel {

/// An excitation times the gain of its MTU's EMG, at most 1: what CEINMS makes of an input whose
/// weight in the excitation generator is so many times larger.
template <class P, class E>
auto amplified(const P& emg_gain, const E& excitation) {
  return math::at_most(emg_gain * excitation, 1.0);
}

/// What happens to the filter at the third sample of the signal.
enum class FilterStart {
  zero,    ///< nothing: the filter starts from rest, as eq. (1) says
  ceinms,  ///< u(1) and u(0) both become (e(0) + e(1)) / 2 (reference C.1)
};

/// What both past neural activations become where the filter restarts, of the last excitations. It
/// is their mean.
template <class E>
E restart_value(const E& e1, const E& e2) {
  return 0.5 * (e1 + e2);
}

/// The coefficients of eq. (1).
template <class T>
struct FilterCoefficients {
  T beta1;
  T beta2;
  T gain;  ///< derivative of a neural activation by the excitation it is made of
  FilterCoefficients(const T& c1, const T& c2)
      : beta1(c1 + c2), beta2(c1 * c2), gain(1.0 + beta1 + beta2) {}
};

/// What the filter of eq. (1) remembers.
template <class T, class E = T>
struct FilterState {
  T u1;  ///< last neural activation
  T u2;  ///< the one before
  E e1;  ///< last excitation
  E e2;  ///< the one before
};

/// The recursive filter of eq. (1) for one MTU, with its last two samples.
///
/// `T` carries what C1 and C2 carry, `E` what the excitations carry.
template <class T, class E = T>
class ActivationFilter {
 public:
  /// From rest.
  ActivationFilter(const T& c1, const T& c2, const E& zero)
      : ActivationFilter(
            c1, c2, FilterState<T, E>{T(0.0 * (c1 + zero)), T(0.0 * (c1 + zero)), zero, zero}) {}
  ActivationFilter(const T& c1, const T& c2, const FilterState<T, E>& state)
      : by_(c1, c2), state_(state) {}

  const FilterState<T, E>& state() const { return state_; }
  const T& gain() const { return by_.gain; }

  /// Eq. (1): neural activation after one more excitation sample.
  const T& next(const E& excitation) {
    T u = by_.gain * excitation - by_.beta1 * state_.u1 - by_.beta2 * state_.u2;
    state_.u2 = std::exchange(state_.u1, std::move(u));
    state_.e2 = std::exchange(state_.e1, excitation);
    return state_.u1;
  }

  /// CEINMS's start (FilterStart::ceinms), to be called before the third sample of the signal:
  /// where `is_third` holds, both past neural activations become the mean of the first two
  /// excitations.
  template <class Condition>
  void restart_where(const Condition& is_third) {
    const T mean = 0.0 * state_.u1 + restart_value(state_.e1, state_.e2);
    state_.u1 = math::select(is_third, mean, state_.u1);
    state_.u2 = math::select(is_third, mean, state_.u2);
  }

 private:
  FilterCoefficients<T> by_;
  FilterState<T, E> state_;
};

/// (exp(x) - 1) / x, by its series where |x| is small, so that it passes smoothly through 1.
template <class T>
T relative_exponential(const T& x) {
  constexpr double small = 0.05;  // x^8 / 9! is 1.1e-16 there
  const auto is_small = math::both<T>(x > -small, x < small);
  const T safe = x + math::select(is_small, T(1.0 + 0.0 * x), 0.0);
  const T ratio = (math::exp(safe) - 1.0) / safe;
  const T series =
      1.0 +
      x * (1.0 / 2 +
           x * (1.0 / 6 +
                x * (1.0 / 24 +
                     x * (1.0 / 120 + x * (1.0 / 720 + x * (1.0 / 5040 + x * (1.0 / 40320)))))));
  return math::select(is_small, series, ratio);
}

/// Eq. (2) for one MTU: a = (exp(A u) - 1) / (exp(A) - 1), which tends to u as A goes to 0.
template <class P>
class ExponentialActivation {
 public:
  explicit ExponentialActivation(const P& shape_factor)
      : shape_factor_(shape_factor), scale_(1.0 / relative_exponential(shape_factor)) {}

  template <class T>
  auto operator()(const T& neural_activation) const {
    return neural_activation * relative_exponential(shape_factor_ * neural_activation) * scale_;
  }

 private:
  P shape_factor_;
  P scale_;
};

/// Eq. (2) at one neural activation.
template <class T, class P>
auto exponential_activation(const P& shape_factor, const T& neural_activation) {
  return ExponentialActivation<P>(shape_factor)(neural_activation);
}

}  // namespace ceinms_torch::kernel
