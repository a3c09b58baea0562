#include "ceinms_torch/kernel/trial.hpp"

namespace ceinms_torch::kernel {
namespace {

/// Joint moments: each DOF sums its MTUs' forces times their moment arms.
void sum_moments(const TrialInput& input, const TrialOutput& output) {
  for (std::size_t step = 0; step < input.n_step; ++step) {
    const double* force = output.mtu_force + step * input.n_mtu;
    for (std::size_t dof = 0; dof < input.n_dof; ++dof) {
      const double* arm = input.moment_arm + (step * input.n_dof + dof) * input.n_mtu;
      double moment = 0.0;
      for (std::size_t mtu = 0; mtu < input.n_mtu; ++mtu) moment += arm[mtu] * force[mtu];
      output.joint_moment[step * input.n_dof + dof] = moment;
    }
  }
}

/// Calls simulate(mtu, input, output) for every MTU, and sums the moments.
template <class Simulate>
void simulate_all(const double* parameters, const TrialInput& input, const TrialOutput& output,
                  const Simulate& simulate) {
  const std::size_t n_mtu = input.n_mtu;
  for (std::size_t i = 0; i < n_mtu; ++i) {
    const Mtu<double> mtu(MtuParameters<double>::from([&](ParameterKind kind) {
      return parameters[static_cast<std::size_t>(kind) * n_mtu + i];
    }));
    simulate(mtu,
             MtuInput{.n_step = input.n_step,
                      .n_row = input.n_row,
                      .time = input.time,
                      .mtu_length = {input.mtu_length + i, n_mtu},
                      .mtu_velocity = {input.mtu_velocity + i, n_mtu},
                      .excitation = {input.excitation + i, n_mtu},
                      .excitation_start = input.excitation_start,
                      .excitation_rate = input.excitation_rate},
             MtuOutput<double>{.activation = {output.activation + i, n_mtu},
                               .fibre_length = {output.fibre_length + i, n_mtu},
                               .fibre_velocity = {output.fibre_velocity + i, n_mtu},
                               .pennation_angle = {output.pennation_angle + i, n_mtu},
                               .tendon_strain = {output.tendon_strain + i, n_mtu},
                               .mtu_force = {output.mtu_force + i, n_mtu}});
  }
  sum_moments(input, output);
}

}  // namespace

void simulate_trial(const MtuCurves<PiecewiseCubic>& curves, const double* parameters,
                    const TrialInput& input, const SimulationOptions& options,
                    const TrialOutput& output) {
  simulate_all(parameters, input, output, [&](const auto& mtu, const auto& in, const auto& out) {
    simulate_mtu(curves, mtu, in, options, out);
  });
}

void simulate_trial_damped(const MtuCurves<PiecewiseCubic>& curves, const double* parameters,
                           const TrialInput& input, FilterStart filter_start,
                           const TrialOutput& output) {
  simulate_all(parameters, input, output, [&](const auto& mtu, const auto& in, const auto& out) {
    simulate_mtu_damped(curves, mtu, in, filter_start, out);
  });
}

}  // namespace ceinms_torch::kernel
