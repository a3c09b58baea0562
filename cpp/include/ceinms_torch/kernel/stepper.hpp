/// @file stepper.hpp
/// An MTU from one instant to the next: the recurrence that trials and streams are made of.
#pragma once

#include "ceinms_torch/kernel/activation.hpp"
#include "ceinms_torch/kernel/damped_equilibrium.hpp"
#include "ceinms_torch/kernel/tendon.hpp"

#include <type_traits>

namespace ceinms_torch::kernel {

/// What an MTU does at one instant.
template <class T>
struct StepResult {
  FibreState<T> state;
  T tendon_strain;  ///< [-]
  T mtu_force;      ///< [N], along the tendon
};

/// The same after a Rosenbrock step.
template <class T>
struct ElasticStep {
  StepResult<T> result;
  T denominator;  ///< see FibreStep
};

/// Everything that an MTU hands on from one instant to the next.
template <class T, class E = T>
struct MtuState {
  FilterState<T, E> filter;
  ElasticFibre<T> fibre;
};

/// Eqs. (1)-(3) and (A1)-(A6), instant by instant. At each, `sample` comes first; then `start` or
/// `advance` (or `advance_damped`) for an elastic tendon, or `stiff`.
///
/// `T` is what is computed, `E` an excitation: T, or a number without derivatives, where neither
/// the excitations nor their gain carry any. Curves and mtu must outlive the stepper.
template <class T, class E, class Table>
class MtuStepper {
 public:
  /// At rest.
  MtuStepper(const MtuCurves<Table>& curves, const Mtu<T>& mtu, const E& zero)
      : curves_(curves),
        mtu_(mtu),
        filter_(mtu.parameters.c1, mtu.parameters.c2, zero),
        activation_at_(mtu.parameters.shape_factor) {}
  /// Where `state()` of another stepper left off, perhaps with other parameters.
  MtuStepper(const MtuCurves<Table>& curves, const Mtu<T>& mtu, const MtuState<T, E>& state)
      : curves_(curves),
        mtu_(mtu),
        filter_(mtu.parameters.c1, mtu.parameters.c2, state.filter),
        activation_at_(mtu.parameters.shape_factor),
        fibre_(state.fibre) {}

  MtuState<T, E> state() const { return {filter_.state(), fibre_}; }

  /// FilterStart::ceinms, before the third sample; see ActivationFilter::restart_where.
  template <class Condition>
  void restart_filter_where(const Condition& is_third) {
    filter_.restart_where(is_third);
  }
  /// Eq. (1): neural activation after one more excitation, at a step or in the run-in before.
  const T& sample(const E& excitation) {
    if constexpr (std::is_same_v<T, E>)
      return filter_.next(amplified(mtu_.parameters.emg_gain, excitation));
    else
      return filter_.next(amplified(math::detach(mtu_.parameters.emg_gain), excitation));
  }

  /// The first step: static equilibrium.
  template <class X>
  StepResult<T> start(const X& mtu_length) {
    const T activation = activation_at_(filter_.state().u1);
    const T lmt = math::lift<T>(mtu_length);
    fibre_.state = {equilibrium_fibre_length(curves_, mtu_, activation, lmt), T(0.0 * lmt),
                    activation, lmt};
    return forces();
  }
  /// Eq. (A5): a step that is `h` [s] after the last.
  template <class X, class H>
  ElasticStep<T> advance(const X& mtu_length, const H& h) {
    const auto ignore = [](std::size_t, const FibreState<T>&, const T&) {};
    const auto next = elastic_step(curves_, mtu_, fibre_, activation_at_(filter_.state().u1),
                                   math::lift<T>(mtu_length), h, ignore);
    fibre_ = next.fibre;
    return {{fibre_.state, next.strain, mtu_.isometric_force * next.force}, next.denominator};
  }
  /// The same with the damped equilibrium tendon, for `double` alone.
  StepResult<T> advance_damped(double mtu_length, double h) {
    fibre_.state =
        damped_step(curves_, mtu_, fibre_.state, activation_at_(filter_.state().u1), mtu_length, h);
    return forces();
  }
  /// The forces at this step and, with their partials, where the next one goes: once parameters
  /// have changed, elsewhere.
  StepResult<T> forces() {
    const auto now = forces_with_partials(curves_, mtu_, fibre_.state);
    fibre_.imbalance = now.imbalance();
    return {fibre_.state, now.strain.value, mtu_.isometric_force * now.muscle.value};
  }

  /// A step of the stiff tendon.
  template <class X, class V>
  StepResult<T> stiff(const X& mtu_length, const V& mtu_velocity) const {
    const T length = stiff_fibre_length(mtu_, mtu_length);
    const FibreState<T> state{length, stiff_fibre_velocity(mtu_, length, mtu_length, mtu_velocity),
                              activation_at_(filter_.state().u1), math::lift<T>(mtu_length)};
    const T cos_alpha = cos_pennation(mtu_, length);
    return {state, kernel::tendon_strain(mtu_, length, cos_alpha, mtu_length),
            mtu_force(curves_, mtu_, state, cos_alpha, TendonModel::stiff)};
  }

 private:
  const MtuCurves<Table>& curves_;
  const Mtu<T>& mtu_;
  ActivationFilter<T, E> filter_;
  ExponentialActivation<T> activation_at_;
  ElasticFibre<T> fibre_{};
};

}  // namespace ceinms_torch::kernel
