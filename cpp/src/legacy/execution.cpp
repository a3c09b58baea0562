#include "ceinms_torch/legacy/execution.hpp"

#include <algorithm>

namespace ceinms_torch::legacy {

void RunOutput::set(std::size_t at, const Mtu& mtu, double mtu_length,
                    const Frame& frame) const noexcept {
  activation[at] = frame.activation;
  fibre_length[at] = frame.length;
  norm_fibre_length[at] = frame.length / mtu.parameters.optimal_fibre_length;
  fibre_velocity[at] = frame.velocity;
  norm_fibre_velocity[at] = norm_velocity(mtu, frame.velocity);
  pennation_angle[at] = kernel::pennation_angle(mtu, frame.length);
  tendon_strain[at] =
      kernel::tendon_strain(mtu, frame.length, cos_pennation(mtu, frame.length), mtu_length);
  mtu_force[at] = frame.force;
}

kernel::MtuParameters<double> parameters_of(const double* parameters, std::size_t n_mtu,
                                            std::size_t mtu) {
  return kernel::MtuParameters<double>::from([&](kernel::ParameterKind kind) {
    return parameters[static_cast<std::size_t>(kind) * n_mtu + mtu];
  });
}

void run_open_loop(const Curves& curves, const double* parameters, const Trial& trial,
                   const Model& model, const RunOutput& out) {
  const std::size_t n_step = trial.n_step();
  std::fill_n(out.joint_moment, n_step * trial.n_dof, 0.0);
  Activations activations;
  MtuTrace trace;
  for (std::size_t m = 0; m < trial.n_mtu; ++m) {
    const Mtu mtu(parameters_of(parameters, trial.n_mtu, m));
    activate(trial, m, mtu.parameters, model, activations);
    trace.run(curves, mtu, trial, m, model, activations);
    out.n_failed[m] = static_cast<std::int64_t>(trace.fibre.failed.size());
    for (std::size_t k = 0; k < n_step; ++k) {
      const double force = mtu.isometric_force * trace.norm_force[k];
      out.set(k * trial.n_mtu + m, mtu, trial.mtu_length(m)[k],
              {activations.activation[k], trace.fibre.length[k], trace.velocity[k], force});
      for (std::size_t dof = 0; dof < trial.n_dof; ++dof)
        out.joint_moment[k * trial.n_dof + dof] += force * trial.moment_arm(dof, m)[k];
    }
  }
}

}  // namespace ceinms_torch::legacy
