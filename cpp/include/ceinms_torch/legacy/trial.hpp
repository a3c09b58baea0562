/// @file trial.hpp
/// One MTU through one trial as CEINMS 0.9 runs it: two passes offline, one online.
#pragma once

#include "ceinms_torch/kernel/parameters.hpp"
#include "ceinms_torch/kernel/trial.hpp"
#include "ceinms_torch/legacy/activation.hpp"
#include "ceinms_torch/legacy/muscle.hpp"
#include "ceinms_torch/legacy/timing.hpp"

#include <cstddef>
#include <vector>

namespace ceinms_torch::legacy {

/// How the model is run.
struct Model {
  TendonModel tendon = TendonModel::stiff;
  ActivationModel activation = ActivationModel::exponential;
  bool online = false;      ///< fibre velocity from past frames only
  double tolerance = 1e-6;  ///< of the elastic tendon's fibre length [m], > 0
};

/// Column by column what comes row by row.
std::vector<double> transposed(const double* rows, std::size_t n_row, std::size_t n_column);

/// A trial with everything that does not depend on parameters.
struct Trial {
  std::size_t n_mtu;
  std::size_t n_dof;
  std::vector<double> time;
  EmgRows rows;
  CausalSlope tendon_slope;    ///< through 4 frames (reference C.6)
  CausalSlope velocity_slope;  ///< through 15 frames (reference C.7), online only

  /// @param input            of which neither the MTUs' velocities nor the rate are used
  /// @param excitation_time  of its rows (n_row) [s]
  /// @param em_delay         [s], of all MTUs
  /// @throws InputError if a frame has no EMG row of its own
  Trial(const kernel::TrialInput& input, const double* excitation_time, double em_delay,
        bool online);

  std::size_t n_step() const noexcept { return time.size(); }
  /// MTU lengths (n_step) [m].
  const double* mtu_length(std::size_t mtu) const noexcept {
    return mtu_length_.data() + mtu * n_step();
  }
  /// Moment arms (n_step) [m].
  const double* moment_arm(std::size_t dof, std::size_t mtu) const noexcept {
    return moment_arm_.data() + (dof * n_mtu + mtu) * n_step();
  }
  /// Whether the MTU has a moment arm at the DOF at any frame.
  bool acts_on(std::size_t dof, std::size_t mtu) const noexcept {
    return acts_on_[dof * n_mtu + mtu];
  }
  /// Excitations (n_row).
  const double* excitation(std::size_t mtu) const noexcept {
    return excitation_.data() + mtu * n_row_;
  }

 private:
  std::size_t n_row_;
  std::vector<double> mtu_length_;  ///< MTU by MTU, as calibration changes one MTU at a time
  std::vector<double> moment_arm_;
  std::vector<double> excitation_;
  std::vector<bool> acts_on_;
};

/// Activations of one MTU, (n_step) each.
struct Activations {
  std::vector<double> first_pass;  ///< differs where EMG rows are skipped (reference C.7)
  std::vector<double> activation;
};

/// Fibre lengths of one MTU, (n_step) each.
struct FibreLengths {
  std::vector<double> length;       ///< [m]
  std::vector<std::size_t> failed;  ///< frames where the elastic tendon found no equilibrium
};

/// Activations of an MTU; the first pass only where it will be needed.
void activate(const Trial& trial, std::size_t mtu, const kernel::MtuParameters<double>& parameters,
              const Model& model, Activations& out);

/// Fibre lengths of an MTU at given activations (n_step). Where the elastic tendon finds no
/// equilibrium the stiff tendon takes its place for that frame (reference C.6).
void solve_fibre_lengths(const Curves& curves, const Mtu& mtu, const Trial& trial,
                         std::size_t mtu_index, const Model& model,
                         const std::vector<double>& activation, FibreLengths& out);

/// Everything an MTU does in a trial.
struct MtuTrace {
  FibreLengths first_pass;
  FibreLengths fibre;
  std::vector<double> velocity;    ///< fibre velocity (n_step) [m/s]
  std::vector<double> norm_force;  ///< along the tendon (n_step), over F0 S
  double penalty = 0.0;            ///< sum over frames (reference D.3)

  void run(const Curves& curves, const Mtu& mtu, const Trial& trial, std::size_t mtu_index,
           const Model& model, const Activations& activations);
};

}  // namespace ceinms_torch::legacy
