/// @file excitation_problem.hpp
/// A whole trial as a function of the excitations of some MTUs at all steps.
#pragma once

#include "ceinms_torch/fused/simulation.hpp"
#include "ceinms_torch/kernel/trial.hpp"

#include <cstddef>
#include <memory>
#include <vector>

namespace ceinms_torch::fused {

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

  /// Excitations as recorded, at all steps, of all MTUs: (n_step, n_mtu).
  const std::vector<double>& recorded() const noexcept { return recorded_; }

  /// Sum of the squared moment errors [N^2 m^2] at x (n_step, n_searched).
  double square_error(const double* x);
  /// The same, with its gradient (n_step, n_searched).
  double square_error(const double* x, double* gradient);
  /// What all MTUs do at x.
  void simulate(const double* x, const kernel::TrialOutput& out);

 private:
  void run(const double* x);
  void measure();
  kernel::Mtu<double> mtu(std::size_t i) const;

  ExcitationTarget target_;
  Workspace workspace_;
  std::size_t n_dof_;
  std::vector<double> moment_arm_;  ///< (n_step, n_dof, n_mtu) [m]
  std::vector<double> recorded_;
  std::vector<double> moment_;  ///< of the last run (n_step, n_dof) [N m]
  std::vector<double> by_parameter_;
};

}  // namespace ceinms_torch::fused
