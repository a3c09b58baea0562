/// @file excitation_problem.hpp
/// A whole trial as a function of the excitations of some MTUs at all steps.
#pragma once

#include "ceinms_torch/engine/linear_trial.hpp"
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
/// as recorded. Only MTUs that are searched are simulated again and again. Points have a column for
/// each of n_lane lanes, the searched MTUs and what fills the last pack. Not safe for use by
/// several threads.
class ExcitationProblem {
 public:
  ExcitationProblem(const Backend& backend, const kernel::TrialInput& trial,
                    std::shared_ptr<const CurveTables> curves, ExcitationTarget target,
                    std::size_t n_thread);

  std::size_t n_step() const noexcept { return all_.layout().n_step(0); }
  std::size_t n_mtu() const noexcept { return all_.layout().n_mtu(); }
  std::size_t n_dof() const noexcept { return n_dof_; }
  std::size_t n_searched() const noexcept { return target_.searched.size(); }
  std::size_t n_lane() const noexcept { return n_lane_; }
  std::size_t n_counted() const noexcept { return target_.dofs.size(); }
  std::size_t n_block() const noexcept { return all_.layout().n_block(); }
  std::size_t n_thread() const noexcept { return all_.pool().n_thread(); }
  const Backend& backend() const noexcept { return all_.layout().backend(); }

  /// Held by whoever uses it.
  kernel::OneAtATime& lock() noexcept { return lock_; }

  /// Excitations as recorded, at all steps, of all MTUs: (n_step, n_mtu).
  const std::vector<double>& recorded() const noexcept { return recorded_; }

  /// Measured less predicted moments (n_step, n_counted) [N m] at x (n_step, n_lane).
  void errors(const double* x, double* error);
  /// The trial linearised at the point that `errors` had last; valid until it is called again.
  const LinearTrial& linearise();
  /// Sums over the steps of the squared errors of each DOF that counts [N^2 m^2], at x (n_step,
  /// n_searched), and the gradient (n_step, n_searched) of their sum.
  std::vector<double> square_errors(const double* x, double* gradient);
  /// What all MTUs do at x (n_step, n_searched).
  void simulate(const double* x, const kernel::TrialOutput& out);

 private:
  double moment_arm(std::size_t step, std::size_t dof, std::size_t mtu) const noexcept {
    return moment_arm_[(step * n_dof_ + dof) * n_mtu() + mtu];
  }
  void fill_linear();

  ExcitationTarget target_;
  std::shared_ptr<const CurveTables> curves_;
  Workspace all_;
  std::size_t n_dof_;
  std::vector<double> moment_arm_;  ///< (n_step, n_dof, n_mtu) [m]
  std::vector<double> recorded_;
  std::vector<double> parameters_;       ///< of the searched MTUs (n_parameter_kind, n_searched)
  std::unique_ptr<Workspace> searched_;  ///< none if nothing is searched
  std::size_t n_lane_;
  std::vector<double> error_of_others_;  ///< measured less their moments (n_step, n_counted) [N m]
  AlignedBuffer slopes_, filter_, restart_, arm_;
  LinearTrial linear_;
  kernel::OneAtATime lock_;
};

}  // namespace ceinms_torch::engine
