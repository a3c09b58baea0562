/// @file trajectory.hpp
/// One MTU through one trial: excitation samples in, force trajectory out.
#pragma once

#include "ceinms_torch/kernel/activation.hpp"
#include "ceinms_torch/kernel/tendon.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace ceinms_torch::kernel {

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

struct SimulationOptions {
  TendonModel tendon = TendonModel::rosenbrock;
  FilterStart filter_start = FilterStart::ceinms;
};

/// Excitation at a fractional row: linear between rows, a ramp from zero before row 0 (see
/// has_started), the last row's value after the end.
template <class T>
T excitation_at(const MtuInput& input, const T& row) {
  const double position = std::clamp(math::detach(row), -1.0, static_cast<double>(input.n_row - 1));
  const double below = std::floor(position);
  const auto value = [&](double index) {
    if (index < 0.0) return 0.0;
    return input.excitation[std::min(static_cast<std::size_t>(index), input.n_row - 1)];
  };
  return interpolate(value(below), value(below + 1.0), position - below);
}

/// Eqs. (1)-(3), (A1)-(A6) for one MTU over a whole trial.
template <class T, class Table>
void simulate_mtu(const MtuCurves<Table>& curves, const Mtu<T>& mtu, const MtuInput& input,
                  const SimulationOptions& options, const MtuOutput<T>& output) {
  const MtuParameters<T>& p = mtu.parameters;
  const auto row_at = [&](std::size_t step) {
    return excitation_row(input.time[step], p.em_delay, input.excitation_start,
                          input.excitation_rate);
  };
  ActivationFilter<T> filter(p.c1, p.c2, T(0.0));
  std::size_t n_started = 0;
  const auto neural_activation = [&](const T& row) {
    const bool started = has_started(math::detach(row), input.excitation_rate);
    if (started && ++n_started == 3 && options.filter_start == FilterStart::ceinms)
      filter.restart_where(true);
    return filter.next(excitation_at(input, row));
  };

  const T first_row = row_at(0);
  for (std::size_t i = run_in_samples(math::detach(first_row), input.excitation_rate); i > 0; --i)
    neural_activation(first_row - static_cast<double>(i));

  FibreState<T> state{};
  for (std::size_t step = 0; step < input.n_step; ++step) {
    const T activation = exponential_activation(p.shape_factor, neural_activation(row_at(step)));
    const T mtu_length = input.mtu_length[step];
    if (options.tendon == TendonModel::stiff) {
      const T length = stiff_fibre_length<T>(mtu, mtu_length);
      state = {length, stiff_fibre_velocity(mtu, length, mtu_length, input.mtu_velocity[step]),
               activation, mtu_length};
    } else if (step == 0) {
      state = {equilibrium_fibre_length(curves, mtu, activation, mtu_length), T(0.0), activation,
               mtu_length};
    } else {
      const double h = input.time[step] - input.time[step - 1];
      state = rosenbrock_step(curves, mtu, state, activation, mtu_length, h);
    }
    const T cos_alpha = cos_pennation(mtu, state.fibre_length);
    output.activation[step] = activation;
    output.fibre_length[step] = state.fibre_length;
    output.fibre_velocity[step] = state.fibre_velocity;
    output.pennation_angle[step] = pennation_angle(mtu, state.fibre_length);
    output.tendon_strain[step] = tendon_strain(mtu, state.fibre_length, cos_alpha, mtu_length);
    output.mtu_force[step] = mtu_force(curves, mtu, state, cos_alpha, options.tendon);
  }
}

}  // namespace ceinms_torch::kernel
