#include "ceinms_torch/engine/excitation_problem.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace ceinms_torch::engine {

using kernel::n_parameter_kind;
using kernel::ParameterKind;

namespace {

/// Columns of a table (n_row, n_column).
std::vector<double> columns(const double* table, std::size_t n_row, std::size_t n_column,
                            const std::vector<std::size_t>& which) {
  std::vector<double> result;
  result.reserve(n_row * which.size());
  for (std::size_t row = 0; row < n_row; ++row)
    for (const std::size_t column : which) result.push_back(table[row * n_column + column]);
  return result;
}

/// A trial with some of its MTUs alone, without moment arms.
LaneLayout layout_of(const Backend& backend, kernel::TrialInput trial,
                     const std::vector<std::size_t>& mtus) {
  const auto length = columns(trial.mtu_length, trial.n_step, trial.n_mtu, mtus);
  const auto velocity = columns(trial.mtu_velocity, trial.n_step, trial.n_mtu, mtus);
  const auto excitation = columns(trial.excitation, trial.n_row, trial.n_mtu, mtus);
  trial.n_mtu = mtus.size();
  trial.mtu_length = length.data();
  trial.mtu_velocity = velocity.data();
  trial.excitation = excitation.data();
  return {backend, {trial}};
}

}  // namespace

ExcitationProblem::ExcitationProblem(const Backend& backend, const kernel::TrialInput& trial,
                                     std::shared_ptr<const CurveTables> curves,
                                     ExcitationTarget target, std::size_t n_thread)
    : target_(std::move(target)),
      curves_(std::move(curves)),
      all_(LaneLayout(backend, {trial}), curves_, target_.simulation, n_thread),
      n_dof_(trial.n_dof),
      moment_arm_(trial.moment_arm, trial.moment_arm + trial.n_step * trial.n_dof * trial.n_mtu),
      recorded_(trial.n_step * trial.n_mtu),
      parameters_(
          columns(target_.parameters.data(), n_parameter_kind, trial.n_mtu, target_.searched)),
      n_lane_(backend.in_whole_packs(n_searched())),
      error_of_others_(trial.n_step * n_counted()) {
  all_.forward(target_.parameters.data());
  for (std::size_t k = 0; k < n_step(); ++k)
    for (std::size_t m = 0; m < n_mtu(); ++m)
      recorded_[k * n_mtu() + m] = all_.layout().sample(all_.layout().lane(0, m), k);
  std::vector<bool> is_searched(n_mtu());
  for (const std::size_t mtu : target_.searched) is_searched[mtu] = true;
  for (std::size_t k = 0; k < n_step(); ++k)
    for (std::size_t i = 0; i < n_counted(); ++i) {
      double& error = error_of_others_[k * n_counted() + i];
      error = target_.measured[k * n_dof_ + target_.dofs[i]];
      for (std::size_t m = 0; m < n_mtu(); ++m) {
        const Lane& lane = all_.layout().lane(0, m);
        if (!is_searched[m])
          error -= moment_arm(k, target_.dofs[i], m) *
                   all_.trace(lane.block).mtu_force[k * backend.width + lane.place];
      }
    }
  if (n_searched() == 0) return;
  for (std::size_t i = 0; i < n_searched(); ++i)
    if (parameters_[kernel::index_of(ParameterKind::emg_gain) * n_searched() + i] != 1.0)
      throw std::invalid_argument(
          "parameters: expected an EMG gain of 1 where excitations are searched, got another.");
  searched_ = std::make_unique<Workspace>(layout_of(backend, trial, target_.searched), curves_,
                                          target_.simulation, n_thread);
  fill_linear();
}

void ExcitationProblem::fill_linear() {
  const std::size_t width = backend().width;
  const std::size_t n_block = n_lane_ / width;
  slopes_ = AlignedBuffer(n_step() * n_slope * n_lane_);
  filter_ = AlignedBuffer(3 * n_lane_, 1.0);
  arm_ = AlignedBuffer(n_step() * n_counted() * n_lane_);
  searched_->forward(parameters_.data());  // which samples the excitations
  // The step before which a lane's filter restarts; none where it does so in the run-in, or never.
  const auto restart_of = [&](const Lane& lane) {
    const LaneBlock& block = searched_->layout().block(lane.block);
    const auto third = static_cast<std::size_t>(block.third_sample[lane.place]);
    const bool restarts = target_.simulation.filter_start == kernel::FilterStart::ceinms;
    return restarts && third >= block.n_run_in ? third - block.n_run_in : n_step();
  };
  std::size_t n_restart = 0;
  for (std::size_t i = 0; i < n_searched(); ++i)
    if (const std::size_t k = restart_of(searched_->layout().lane(0, i)); k < n_step())
      n_restart = std::max(n_restart, k + 1);
  restart_ = AlignedBuffer(n_restart * n_lane_);
  for (std::size_t i = 0; i < n_searched(); ++i) {
    const Lane& lane = searched_->layout().lane(0, i);
    const auto parameter = [&](ParameterKind kind) {
      return parameters_[static_cast<std::size_t>(kind) * n_searched() + i];
    };
    const kernel::FilterCoefficients<double> by(parameter(ParameterKind::c1),
                                                parameter(ParameterKind::c2));
    const double coefficients[] = {by.beta1, by.beta2, by.gain};
    for (std::size_t row = 0; row < 3; ++row)
      filter_[(lane.block * 3 + row) * width + lane.place] = coefficients[row];
    if (const std::size_t k = restart_of(lane); k < n_restart)
      restart_[(lane.block * n_restart + k) * width + lane.place] = 1.0;
    for (std::size_t k = 0; k < n_step(); ++k)
      for (std::size_t d = 0; d < n_counted(); ++d)
        arm_[(k * n_counted() + d) * n_lane_ + i] =
            moment_arm(k, target_.dofs[d], target_.searched[i]);
  }
  linear_ = {.n_step = n_step(),
             .n_mtu = n_searched(),
             .n_block = n_block,
             .n_dof = n_counted(),
             .is_stiff = target_.simulation.tendon == kernel::TendonModel::stiff,
             .remembers = n_restart > 3,  // before the third there were only two excitations
             .slopes = slopes_.data(),
             .filter = filter_.data(),
             .n_restart = n_restart,
             .restart = restart_.data(),
             .arm = arm_.data()};
}

void ExcitationProblem::errors(const double* x, double* error) {
  std::copy(error_of_others_.begin(), error_of_others_.end(), error);
  if (!searched_) return;
  for (std::size_t i = 0; i < n_searched(); ++i)
    searched_->load_samples(searched_->layout().lane(0, i), x + i, n_lane_);
  searched_->forward(parameters_.data());
  const std::size_t width = backend().width;
  for (std::size_t block = 0; block < searched_->layout().n_block(); ++block) {
    const double* force = searched_->trace(block).mtu_force;
    const std::size_t n = searched_->layout().lanes_of(block).size();
    for (std::size_t k = 0; k < n_step(); ++k)
      for (std::size_t d = 0; d < n_counted(); ++d) {
        const double* arm = arm_.data() + (k * n_counted() + d) * n_lane_ + block * width;
        double sum = 0.0;
        for (std::size_t place = 0; place < n; ++place)
          sum += arm[place] * force[k * width + place];
        error[k * n_counted() + d] -= sum;
      }
  }
}

const LinearTrial& ExcitationProblem::linearise() {
  for (std::size_t block = 0; searched_ && block < searched_->layout().n_block(); ++block)
    searched_->linearise(block, slopes_.data() + block * n_step() * n_slope * backend().width);
  return linear_;
}

std::vector<double> ExcitationProblem::square_errors(const double* x, double* gradient) {
  AlignedBuffer point(n_step() * n_lane_);
  for (std::size_t k = 0; k < n_step(); ++k)
    std::copy_n(x + k * n_searched(), n_searched(), point.data() + k * n_lane_);
  std::vector<double> error(n_step() * n_counted());
  errors(point.data(), error.data());
  std::vector<double> sums(n_counted());
  for (std::size_t i = 0; i < error.size(); ++i) {
    sums[i % n_counted()] += error[i] * error[i];
    error[i] *= -2.0;  // the derivative by the moment
  }
  if (n_searched() == 0) return sums;
  const LinearTrial& linear = linearise();
  AlignedBuffer state(n_state(linear) * n_lane_);
  AlignedBuffer pull(n_step() * n_lane_);
  backend().linear_trial->transposed(linear, error.data(), state.data(), pull.data());
  for (std::size_t k = 0; k < n_step(); ++k)
    std::copy_n(pull.data() + k * n_lane_, n_searched(), gradient + k * n_searched());
  return sums;
}

void ExcitationProblem::simulate(const double* x, const kernel::TrialOutput& out) {
  for (std::size_t i = 0; i < n_searched(); ++i)
    all_.load_samples(all_.layout().lane(0, target_.searched[i]), x + i, n_searched());
  all_.forward(target_.parameters.data());
  const std::size_t width = backend().width;
  std::fill_n(out.joint_moment, n_step() * n_dof_, 0.0);
  for (std::size_t m = 0; m < n_mtu(); ++m) {
    const kernel::Mtu<double> own(kernel::MtuParameters<double>::from([&](ParameterKind kind) {
      return target_.parameters[static_cast<std::size_t>(kind) * n_mtu() + m];
    }));
    const Lane& lane = all_.layout().lane(0, m);
    const LaneTrace trace = all_.trace(lane.block);
    for (std::size_t k = 0; k < n_step(); ++k) {
      const std::size_t from = k * width + lane.place;
      const std::size_t to = k * n_mtu() + m;
      out.activation[to] = trace.activation[from];
      out.fibre_length[to] = trace.fibre_length[from];
      out.fibre_velocity[to] = trace.fibre_velocity[from];
      out.pennation_angle[to] = kernel::pennation_angle(own, trace.fibre_length[from]);
      out.tendon_strain[to] = trace.tendon_strain[from];
      out.mtu_force[to] = trace.mtu_force[from];
      for (std::size_t dof = 0; dof < n_dof_; ++dof)
        out.joint_moment[k * n_dof_ + dof] += moment_arm(k, dof, m) * trace.mtu_force[from];
    }
  }
}

}  // namespace ceinms_torch::engine
