/// @file frame_model.hpp
/// The legacy model at one frame after the other, with excitations that can be tried out.
#pragma once

#include "ceinms_torch/legacy/execution.hpp"
#include "ceinms_torch/legacy/trial.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace ceinms_torch::legacy {

/// The force of an MTU at the current frame, and its derivative by the MTU's own excitation.
struct ForceSlope {
  double force;          ///< along the tendon [N]
  double by_excitation;  ///< [N]
  bool has_failed;       ///< without equilibrium
};

/// All MTUs of a trial, each with its past and with the excitation last tried at this frame.
///
/// A frame is begun, tried any number of times, and ended; nothing that was tried in between
/// leaves a trace. No call allocates.
class FrameModel {
 public:
  /// The arguments must outlive the model.
  ///
  /// @param parameters (n_parameter_kind, n_mtu)
  FrameModel(const Curves& curves, const double* parameters, const Trial& trial,
             const Model& model);

  const Trial& trial() const noexcept { return trial_; }
  std::size_t frame() const noexcept { return frame_; }

  /// Let the EMG rows before the first frame pass through the filters.
  void charge();
  /// Go to a frame, with all MTUs at their recorded excitations.
  void begin(std::size_t frame);
  /// Give an MTU an excitation; nothing happens if it has it already.
  void set_excitation(std::size_t mtu, double excitation);
  /// Solve all MTUs once more at the excitations they have.
  void solve_again();
  /// Make the excitations last set part of the past.
  void end();

  /// As recorded, at the current frame.
  double recorded(std::size_t mtu) const noexcept {
    return trial_.excitation(mtu)[trial_.rows.row[frame_]];
  }
  /// The one used at the frame before.
  double past(std::size_t mtu) const noexcept { return states_[mtu].past; }
  double excitation(std::size_t mtu) const noexcept { return states_[mtu].excitation; }
  double force(std::size_t mtu) const noexcept { return states_[mtu].force; }
  /// Joint moment [N m].
  double moment(std::size_t dof) const noexcept;
  bool has_failed(std::size_t mtu) const noexcept { return states_[mtu].has_failed; }

  /// Force at an excitation, with its derivative; the excitation is not set. With the elastic
  /// tendon, Newton's method goes on from the last fibre length to the exact equilibrium, Brent's
  /// method helps where it does not get there, and the length moves with the activation by the
  /// implicit function theorem. Where Brent would find no equilibrium there is none here, and the
  /// fibre length does not depend on the excitation.
  ForceSlope force_slope(std::size_t mtu, double excitation);

  /// Write all MTUs and joint moments (all but n_failed).
  void write(const RunOutput& out) const;

 private:
  /// One MTU: its past, and the candidate at the current frame.
  struct State {
    Mtu mtu;
    ActivationCurve curve;
    NeuralActivation filter;
    std::vector<double> length;  ///< of the frames so far [m]
    double past = 0.0;
    double excitation = 0.0;
    double activation = 0.0;
    double velocity = 0.0;
    double force = 0.0;
    double guess = 0.0;      ///< of the fibre length, for force_slope [m]
    bool is_solved = false;  ///< at the current frame
    bool has_failed = false;
  };

  void update(std::size_t mtu);
  double velocity_at(const State& state, double length) const noexcept;
  std::optional<double> solve(const State& state, std::size_t mtu) const;
  std::optional<double> refine(const State& state, std::size_t mtu, double activation) const;

  const Curves& curves_;
  const Trial& trial_;
  const Model& model_;
  std::vector<State> states_;
  std::size_t frame_ = 0;
};

}  // namespace ceinms_torch::legacy
