/// @file frame_problem.hpp
/// What EMG-assisted, hybrid and static optimisation minimise at a frame (reference E).
#pragma once

#include "ceinms_torch/legacy/frame_model.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace ceinms_torch::legacy {

/// What is searched for, and what for. Weights are those of CEINMS's code; its manual has beta
/// and gamma the other way round (quirk F25).
struct HybridOptions {
  double alpha;                     ///< on squared moment errors
  double beta;                      ///< on squared excitations of all MTUs
  double gamma;                     ///< on absolute changes of the adjusted excitations
  std::vector<std::size_t> adjust;  ///< MTUs that start at their own excitation
  std::vector<std::size_t> synth;   ///< MTUs that start where the frame before ended
  std::vector<std::size_t> dofs;    ///< whose moments count
};

/// The three sums of the objective at a frame, without their weights.
struct FrameTerms {
  double moment = 0.0;    ///< squared moment errors [N^2 m^2]
  double effort = 0.0;    ///< squared excitations
  double tracking = 0.0;  ///< absolute changes of adjusted excitations

  double objective(const HybridOptions& options) const noexcept {
    return options.alpha * moment + options.beta * effort + options.gamma * tracking;
  }
};

/// The search at one frame after the other: variables are the excitations of the adjusted MTUs,
/// then of the synthesised ones, each from 0 to 1. The arguments must outlive the problem.
class FrameProblem {
 public:
  /// @param measured (n_step, n_dof) [N m]
  FrameProblem(FrameModel& model, const double* measured, const HybridOptions& options);

  FrameModel& model() noexcept { return model_; }
  const FrameModel& model() const noexcept { return model_; }
  const HybridOptions& options() const noexcept { return options_; }
  /// MTUs in the order of the variables.
  const std::vector<std::size_t>& searched() const noexcept { return searched_; }
  bool is_adjusted(std::size_t variable) const noexcept {
    return variable < options_.adjust.size();
  }

  /// Where CEINMS starts: adjusted MTUs at their own excitation, others where the frame before
  /// ended.
  double start(std::size_t variable) const noexcept {
    const std::size_t mtu = searched_[variable];
    return is_adjusted(variable) ? model_.recorded(mtu) : model_.past(mtu);
  }
  /// Measured moment of DOF options().dofs[i] at the model's frame [N m].
  double measured(std::size_t i) const noexcept {
    return measured_[model_.frame() * model_.trial().n_dof + options_.dofs[i]];
  }
  void set(std::span<const double> x);
  /// The same, and the objective there.
  double objective(std::span<const double> x);
  /// At the excitations the model has.
  FrameTerms terms() const noexcept;

 private:
  FrameModel& model_;
  const double* measured_;
  const HybridOptions& options_;
  std::vector<std::size_t> searched_;
};

/// A way to search.
class FrameSearch {
 public:
  virtual ~FrameSearch() = default;
  /// Leave the best excitations in the model; returns how often the objective was evaluated.
  virtual std::size_t search(FrameProblem& problem) = 0;
};

}  // namespace ceinms_torch::legacy
