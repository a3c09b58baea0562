#include "ceinms_torch/engine/excitation_problem.hpp"

#include <algorithm>
#include <utility>

namespace ceinms_torch::engine {

ExcitationProblem::ExcitationProblem(const Backend& backend, const kernel::TrialInput& trial,
                                     std::shared_ptr<const CurveTables> curves,
                                     ExcitationTarget target, std::size_t n_thread)
    : target_(std::move(target)),
      workspace_(LaneLayout(backend, {trial}), std::move(curves), target_.simulation, n_thread),
      n_dof_(trial.n_dof),
      moment_arm_(trial.moment_arm, trial.moment_arm + trial.n_step * trial.n_dof * trial.n_mtu),
      recorded_(trial.n_step * trial.n_mtu),
      moment_(trial.n_step * trial.n_dof),
      square_error_(target_.dofs.size()),
      by_parameter_(target_.parameters.size()) {
  workspace_.forward(target_.parameters.data());
  for (std::size_t k = 0; k < n_step(); ++k)
    for (std::size_t m = 0; m < n_mtu(); ++m)
      recorded_[k * n_mtu() + m] = workspace_.layout().sample(workspace_.layout().lane(0, m), k);
}

void ExcitationProblem::run(const double* x) {
  for (std::size_t i = 0; i < n_searched(); ++i)
    workspace_.load_samples(workspace_.layout().lane(0, target_.searched[i]), x + i, n_searched());
  workspace_.forward(target_.parameters.data());
  const std::size_t width = workspace_.layout().backend().width;
  std::fill(moment_.begin(), moment_.end(), 0.0);
  for (std::size_t m = 0; m < n_mtu(); ++m) {
    const Lane& lane = workspace_.layout().lane(0, m);
    const double* force = workspace_.trace(lane.block).mtu_force + lane.place;
    for (std::size_t k = 0; k < n_step(); ++k)
      for (std::size_t dof = 0; dof < n_dof_; ++dof)
        moment_[k * n_dof_ + dof] += moment_arm(k, dof, m) * force[k * width];
  }
}

const std::vector<double>& ExcitationProblem::square_errors(const double* x) {
  run(x);
  for (std::size_t i = 0; i < n_counted(); ++i) {
    double& sum = square_error_[i] = 0.0;
    for (std::size_t k = 0; k < n_step(); ++k)
      sum += error(k, target_.dofs[i]) * error(k, target_.dofs[i]);
  }
  return square_error_;
}

const std::vector<double>& ExcitationProblem::square_errors(const double* x, double* gradient) {
  square_errors(x);
  const LaneLayout& layout = workspace_.layout();
  const std::size_t width = layout.backend().width;
  workspace_.clear_seeds();
  for (const std::size_t m : target_.searched) {
    const Lane& lane = layout.lane(0, m);
    double* seed = workspace_.seed_force(lane.block) + lane.place;
    for (std::size_t k = 0; k < n_step(); ++k)
      for (const std::size_t dof : target_.dofs)
        seed[k * width] -= 2.0 * error(k, dof) * moment_arm(k, dof, m);
  }
  workspace_.reverse(by_parameter_.data());
  for (std::size_t i = 0; i < n_searched(); ++i) {
    const Lane& lane = layout.lane(0, target_.searched[i]);
    const double* by_sample =
        workspace_.by_sample(lane.block) + layout.n_run_in(lane) * width + lane.place;
    for (std::size_t k = 0; k < n_step(); ++k)
      gradient[k * n_searched() + i] = by_sample[k * width];
  }
  return square_error_;
}

void ExcitationProblem::simulate(const double* x, const kernel::TrialOutput& out) {
  run(x);
  const std::size_t width = workspace_.layout().backend().width;
  for (std::size_t m = 0; m < n_mtu(); ++m) {
    const kernel::Mtu<double> own(
        kernel::MtuParameters<double>::from([&](kernel::ParameterKind kind) {
          return target_.parameters[static_cast<std::size_t>(kind) * n_mtu() + m];
        }));
    const Lane& lane = workspace_.layout().lane(0, m);
    const LaneTrace trace = workspace_.trace(lane.block);
    for (std::size_t k = 0; k < n_step(); ++k) {
      const std::size_t from = k * width + lane.place;
      const std::size_t to = k * n_mtu() + m;
      out.activation[to] = trace.activation[from];
      out.fibre_length[to] = trace.fibre_length[from];
      out.fibre_velocity[to] = trace.fibre_velocity[from];
      out.pennation_angle[to] = kernel::pennation_angle(own, trace.fibre_length[from]);
      out.tendon_strain[to] = trace.tendon_strain[from];
      out.mtu_force[to] = trace.mtu_force[from];
    }
  }
  std::copy(moment_.begin(), moment_.end(), out.joint_moment);
}

}  // namespace ceinms_torch::engine
