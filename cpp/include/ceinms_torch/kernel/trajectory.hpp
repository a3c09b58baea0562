/// @file trajectory.hpp
/// An MTU through a trial, step by step: the recurrence that every engine but the tensor one runs.
///
/// It is written for `lanes`: a real number type R that is `double`, for one MTU, or a pack of
/// numbers, for several MTUs (of any trials) side by side. What is computed is a T: R itself or
/// a Dual over R, which carries derivatives through the whole trajectory.
#pragma once

#include "ceinms_torch/kernel/sampling.hpp"
#include "ceinms_torch/kernel/stepper.hpp"

#include <array>
#include <cstddef>
#include <type_traits>

namespace ceinms_torch::kernel {

struct SimulationOptions {
  TendonModel tendon = TendonModel::rosenbrock;
  FilterStart filter_start = FilterStart::ceinms;
};

/// What a simulation says of an MTU at every step.
enum class Quantity : std::size_t {
  activation,
  fibre_length,
  fibre_velocity,
  tendon_strain,
  mtu_force
};
inline constexpr std::array all_quantities{Quantity::activation, Quantity::fibre_length,
                                           Quantity::fibre_velocity, Quantity::tendon_strain,
                                           Quantity::mtu_force};

/// A V for every quantity.
template <class V>
struct PerQuantity {
  V activation{};
  V fibre_length{};
  V fibre_velocity{};
  V tendon_strain{};
  V mtu_force{};

  V& operator[](Quantity quantity) noexcept { return this->*member(quantity); }
  const V& operator[](Quantity quantity) const noexcept { return this->*member(quantity); }

 private:
  static constexpr V PerQuantity::*member(Quantity quantity) noexcept {
    constexpr std::array members{&PerQuantity::activation, &PerQuantity::fibre_length,
                                 &PerQuantity::fibre_velocity, &PerQuantity::tendon_strain,
                                 &PerQuantity::mtu_force};
    return members[static_cast<std::size_t>(quantity)];
  }
};

/// Some steps of a trial in a row.
struct StepRange {
  std::size_t first;
  std::size_t end;  ///< one beyond the last
};

/// Feeds the samples of some steps to a stepper's filter, before step 0 those of the run-in, and
/// calls at_step(k) at each step.
///
/// Input and output are those of `simulate_lanes`.
template <class Stepper, class Input, class Output, class AtStep>
void run_steps(Stepper& stepper, const Input& input, const StepRange& steps,
               FilterStart filter_start, Output& output, const AtStep& at_step) {
  const auto take_sample = [&](std::size_t sample) {
    if (filter_start == FilterStart::ceinms && input.any_third(sample))
      stepper.restart_filter_where(input.is_third(sample));
    output.sample(sample, stepper.sample(input.excitation(sample)));
  };
  const std::size_t n_run_in = input.n_run_in();
  if (steps.first == 0)
    for (std::size_t sample = 0; sample < n_run_in; ++sample) take_sample(sample);
  for (std::size_t k = steps.first; k < steps.end; ++k) {
    take_sample(n_run_in + k);
    at_step(k);
  }
}

/// Eqs. (1)-(3) and (A1)-(A6) over some steps of a trial, from where the stepper is; see
/// simulate_lanes.
template <class Stepper, class Input, class Output>
void simulate_steps(Stepper& stepper, const Input& input, const StepRange& steps,
                    const SimulationOptions& options, Output& output) {
  if (options.tendon == TendonModel::stiff) {
    run_steps(stepper, input, steps, options.filter_start, output, [&](std::size_t k) {
      output.step(k, stepper.stiff(input.mtu_length(k), input.mtu_velocity(k)));
    });
    return;
  }
  run_steps(stepper, input, steps, options.filter_start, output, [&](std::size_t k) {
    if (k == 0) {
      output.step(0, stepper.start(input.mtu_length(0)));
      return;
    }
    const auto step = stepper.advance(input.mtu_length(k), input.time_step(k));
    output.denominator(k - 1, step.denominator);
    output.step(k, step.result);
  });
}

/// Eqs. (1)-(3) and (A1)-(A6) over a whole trial.
///
/// @param input   the lanes' data:
///                n_run_in(), n_step() how many filter samples come before the first step, and
///                steps; excitation(n) of sample n; is_third(n) and any_third(n): the third sample
///                of a signal, for FilterStart::ceinms; mtu_length(k), mtu_velocity(k),
///                time_step(k) (from step k - 1, k > 0).
/// @param output  receives sample(n, u) after every filter sample, step(k, StepResult) after every
///                step, and denominator(k, D) of the Rosenbrock step from k to k + 1, as a
///                FibreStep has it
template <class T, class Table, class Input, class Output>
void simulate_lanes(const MtuCurves<Table>& curves, const Mtu<T>& mtu, const Input& input,
                    const SimulationOptions& options, Output& output) {
  using E = std::decay_t<decltype(input.excitation(0))>;
  MtuStepper<T, E, Table> stepper(curves, mtu, E(0.0 * input.excitation(0)));
  simulate_steps(stepper, input, {0, input.n_step()}, options, output);
}

/// Every `stride`-th number from `data` on: one MTU's column of a row-major table.
template <class V>
struct Column {
  V* data = nullptr;
  std::size_t stride = 1;
  V& operator[](std::size_t i) const noexcept { return data[i * stride]; }
};

/// What drives one MTU in one trial.
struct MtuInput {
  std::size_t n_step = 0;             ///< >= 1
  std::size_t n_row = 0;              ///< rows of the excitation signal, >= 1
  const double* time = nullptr;       ///< (n_step) [s], strictly increasing
  Column<const double> mtu_length;    ///< (n_step) [m]
  Column<const double> mtu_velocity;  ///< (n_step) [m/s]; used by the stiff tendon only
  Column<const double> excitation;    ///< (n_row) [0..1]
  double excitation_start = 0.0;      ///< time of row 0 [s]
  double excitation_rate = 0.0;       ///< [Hz]
};

/// What one MTU did in one trial; every column (n_step).
template <class T>
struct MtuOutput {
  Column<T> activation;       ///< [-]
  Column<T> fibre_length;     ///< [m]
  Column<T> fibre_velocity;   ///< [m/s], lengthening positive
  Column<T> pennation_angle;  ///< [rad]
  Column<T> tendon_strain;    ///< [-]
  Column<T> mtu_force;        ///< [N], along the tendon
};

namespace detail {

/// simulate_lanes's input for one MTU whose excitation is sampled on the way.
template <class T>
class SampledInput {
 public:
  SampledInput(const MtuInput& input, const T& em_delay)
      : input_(input),
        // Zero, with what em_delay carries.
        shift_(em_delay - math::lift<T>(math::detach(em_delay))),
        sampling_({.time = input.time,
                   .n_step = input.n_step,
                   .n_row = input.n_row,
                   .start = input.excitation_start,
                   .rate = input.excitation_rate},
                  math::detach(em_delay)),
        third_(sampling_.third_sample()) {}

  std::size_t n_run_in() const { return sampling_.n_run_in(); }
  std::size_t n_step() const { return input_.n_step; }
  T excitation(std::size_t sample) const {
    const Sampling::Sample e = sampling_.take(input_.excitation, sample);
    return e.excitation + e.by_delay * shift_;
  }
  bool any_third(std::size_t sample) const { return sample == third_; }
  bool is_third(std::size_t) const { return true; }
  double mtu_length(std::size_t k) const { return input_.mtu_length[k]; }
  double mtu_velocity(std::size_t k) const { return input_.mtu_velocity[k]; }
  double time_step(std::size_t k) const { return input_.time[k] - input_.time[k - 1]; }

 private:
  const MtuInput& input_;
  T shift_;
  Sampling sampling_;
  std::size_t third_;
};

template <class T>
struct ColumnOutput {
  const Mtu<T>& mtu;
  const MtuOutput<T>& columns;

  void sample(std::size_t, const T&) const {}
  void denominator(std::size_t, const T&) const {}
  void step(std::size_t k, const StepResult<T>& result) const {
    columns.activation[k] = result.state.activation;
    columns.fibre_length[k] = result.state.fibre_length;
    columns.fibre_velocity[k] = result.state.fibre_velocity;
    columns.pennation_angle[k] = pennation_angle(mtu, result.state.fibre_length);
    columns.tendon_strain[k] = result.tendon_strain;
    columns.mtu_force[k] = result.mtu_force;
  }
};

}  // namespace detail

/// One MTU over a whole trial, excitations sampled with its delay.
template <class T, class Table>
void simulate_mtu(const MtuCurves<Table>& curves, const Mtu<T>& mtu, const MtuInput& input,
                  const SimulationOptions& options, const MtuOutput<T>& output) {
  const detail::SampledInput<T> sampled(input, mtu.parameters.em_delay);
  detail::ColumnOutput<T> columns{mtu, output};
  simulate_lanes(curves, mtu, sampled, options, columns);
}

/// The same with the damped equilibrium tendon.
inline void simulate_mtu_damped(const MtuCurves<PiecewiseCubic>& curves, const Mtu<double>& mtu,
                                const MtuInput& input, FilterStart filter_start,
                                const MtuOutput<double>& output) {
  const detail::SampledInput<double> sampled(input, mtu.parameters.em_delay);
  detail::ColumnOutput<double> columns{mtu, output};
  MtuStepper<double, double, PiecewiseCubic> stepper(curves, mtu, 0.0);
  run_steps(stepper, sampled, {0, input.n_step}, filter_start, columns, [&](std::size_t k) {
    columns.step(k, k == 0 ? stepper.start(sampled.mtu_length(0))
                           : stepper.advance_damped(sampled.mtu_length(k), sampled.time_step(k)));
  });
}

}  // namespace ceinms_torch::kernel
