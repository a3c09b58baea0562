/// @file excitation_problem.hpp
/// A whole trial as a function of the excitations of some MTUs at all steps.
#pragma once

#include "ceinms_torch/engine/simulation.hpp"
#include "ceinms_torch/kernel/one_at_a_time.hpp"
#include "ceinms_torch/kernel/trial.hpp"

#include <cstddef>
#include <memory>
#include <vector>

namespace ceinms_torch::engine {

/// What excitations are searched for, and what for.
struct ExcitationTarget {
  std::vector<double> parameters;     ///< (n_parameter_kind, n_mtu)
  std::vector<double> measured;       ///< joint moments (n_step, n_dof) [N m]
  std::vector<std::size_t> searched;  ///< MTUs
  std::vector<std::size_t> dofs;      ///< whose moments count
  kernel::SimulationOptions simulation;
};

/// The moment errors of a trial and their derivatives by excitations.
///
/// A variable is an excitation as it acts at a step: the sample that the activation filter takes
/// there, t - d^em of eq. (1). Samples of the run-in, and those of MTUs that are not searched, stay
/// as recorded. Not safe for use by several threads.
class ExcitationProblem {
 public:
  ExcitationProblem(const Backend& backend, const kernel::TrialInput& trial,
                    std::shared_ptr<const CurveTables> curves, ExcitationTarget target,
                    std::size_t n_thread);

  std::size_t n_step() const noexcept { return workspace_.layout().n_step(0); }
  std::size_t n_mtu() const noexcept { return workspace_.layout().n_mtu(); }
  std::size_t n_dof() const noexcept { return n_dof_; }
  std::size_t n_searched() const noexcept { return target_.searched.size(); }
  std::size_t n_block() const noexcept { return workspace_.layout().n_block(); }
  std::size_t n_thread() const noexcept { return workspace_.pool().n_thread(); }
  std::size_t n_counted() const noexcept { return target_.dofs.size(); }

  /// Held by whoever uses it.
  kernel::OneAtATime& lock() noexcept { return lock_; }

  /// Excitations as recorded, at all steps, of all MTUs: (n_step, n_mtu).
  const std::vector<double>& recorded() const noexcept { return recorded_; }

  /// Sums over the steps of the squared moment errors of each DOF that counts [N^2 m^2], at x
  /// (n_step, n_searched).
  const std::vector<double>& square_errors(const double* x);
  /// The same, and the gradient (n_step, n_searched) of their sum.
  const std::vector<double>& square_errors(const double* x, double* gradient);
  /// What all MTUs do at x.
  void simulate(const double* x, const kernel::TrialOutput& out);

 private:
  void run(const double* x);
  double error(std::size_t step, std::size_t dof) const noexcept {
    return target_.measured[step * n_dof_ + dof] - moment_[step * n_dof_ + dof];
  }
  double moment_arm(std::size_t step, std::size_t dof, std::size_t mtu) const noexcept {
    return moment_arm_[(step * n_dof_ + dof) * n_mtu() + mtu];
  }

  ExcitationTarget target_;
  Workspace workspace_;
  std::size_t n_dof_;
  std::vector<double> moment_arm_;  ///< (n_step, n_dof, n_mtu) [m]
  std::vector<double> recorded_;
  std::vector<double> moment_;        ///< of the last run (n_step, n_dof) [N m]
  std::vector<double> square_error_;  ///< by DOF that counts
  std::vector<double> by_parameter_;
  kernel::OneAtATime lock_;
};

}  // namespace ceinms_torch::engine
