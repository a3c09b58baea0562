/// @file hybrid.hpp
/// EMG-assisted, hybrid and static optimisation: excitations searched for frame by frame
/// (reference E).
#pragma once

#include "ceinms_torch/legacy/annealing.hpp"
#include "ceinms_torch/legacy/execution.hpp"
#include "ceinms_torch/legacy/trial.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace ceinms_torch::legacy {

/// What is searched for, and what for. Weights are those of CEINMS's code; its manual has beta
/// and gamma the other way round (quirk F25).
struct HybridOptions {
  double alpha;                     ///< on squared moment errors of all DOFs
  double beta;                      ///< on squared excitations of all MTUs
  double gamma;                     ///< on absolute changes of the adjusted excitations
  std::vector<std::size_t> adjust;  ///< MTUs that start at their own excitation
  std::vector<std::size_t> synth;   ///< MTUs that start where the frame before ended
  AnnealingOptions annealing;
};

/// Excitations that were used, (n_step, n_mtu), besides what a run gives.
struct HybridOutput {
  RunOutput run;
  double* excitation;
};

/// The model at one frame after the other, with excitations that can be tried out.
class HybridRun {
 public:
  /// @param measured (n_step, n_dof) [N m]
  HybridRun(const Curves& curves, const double* parameters, const Trial& trial, const Model& model,
            const double* measured, const HybridOptions& options);

  /// Run all frames. `go_on` is asked after each; false stops, and the number of frames that are
  /// complete is returned.
  std::size_t run(const HybridOutput& out, const std::function<bool()>& go_on);

 private:
  /// One MTU: its past, and the candidate at the current frame.
  struct State {
    Mtu mtu;
    ActivationCurve curve;
    NeuralActivation filter;
    std::vector<double> length;  ///< of the frames so far [m]
    double excitation = 0.0;
    double activation = 0.0;
    double velocity = 0.0;
    double force = 0.0;
    bool is_solved = false;  ///< at the current frame
    bool has_failed = false;
  };

  void charge();
  void begin_frame(std::size_t frame);
  void search();
  void try_excitation(State& state, std::size_t mtu, double excitation);
  void update(State& state, std::size_t mtu);
  std::optional<double> solve(const State& state, double mtu_length) const;
  double objective(std::span<const double> x);
  void write(const HybridOutput& out) const;
  double moment(std::size_t dof) const;

  const Curves& curves_;
  const Trial& trial_;
  const Model& model_;
  const double* measured_;
  const HybridOptions& options_;
  std::vector<std::size_t> searched_;  ///< MTUs in the order of the variables
  std::vector<State> states_;
  std::vector<double> mapped_;  ///< excitations of the current frame, as recorded
  std::vector<double> past_;    ///< excitations used at the frame before
  std::size_t frame_ = 0;
};

}  // namespace ceinms_torch::legacy
