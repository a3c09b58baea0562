/// @file calibration.hpp
/// CEINMS's calibration objective, fast enough for a hundred thousand evaluations (reference D).
#pragma once

#include "ceinms_torch/kernel/one_at_a_time.hpp"
#include "ceinms_torch/kernel/parameter_map.hpp"
#include "ceinms_torch/legacy/annealing.hpp"
#include "ceinms_torch/legacy/trial.hpp"
#include "ceinms_torch/terms/terms.hpp"

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace ceinms_torch::legacy {

/// Runs f(i) for i in [0, n), on one thread or several; f touches nothing that other i touch.
using ParallelFor = std::function<void(std::size_t, const std::function<void(std::size_t)>&)>;

/// The objective at one point.
struct Evaluation {
  double objective = 0.0;
  double moment = 0.0;         ///< share of the moment errors
  double penalty = 0.0;        ///< share of the penalties
  std::vector<double> rmse{};  ///< of each DOF that counts, averaged over trials [N m]
};

/// A calibration step: sum over trials and DOFs of squared moment errors over their variance and
/// of the penalties of all MTUs (reference D.3); or, as CEINMS after 0.9, moment errors and
/// penalties on fibre lengths and velocities that the file names. A frame without equilibrium costs
/// 100 in either.
///
/// Results of an MTU are kept for two sets of parameters, those accepted last and those tried
/// last, so that an evaluation computes only the MTUs a proposal changed (reference D.4), and
/// activations and fibre lengths only if what they depend on changed.
class Problem {
 public:
  /// @param measured  measured moments by trial, (n_dof, n_step) each [N m]
  /// @param dofs      indices of the DOFs that count
  /// @param objective moment errors and penalties; without, those of CEINMS 0.9
  /// @param least_variance  of a measured moment, by trial [N^2 m^2]; 0 in CEINMS
  Problem(Curves curves, Model model, std::vector<Trial> trials,
          std::vector<std::vector<double>> measured, std::vector<std::size_t> dofs,
          kernel::ParameterMap map, std::optional<terms::Objective> objective,
          const std::vector<double>& least_variance, ParallelFor parallel);

  std::size_t n_component() const noexcept { return map_.n_component(); }
  /// Held by whoever uses it.
  kernel::OneAtATime& lock() noexcept { return lock_; }

  /// Objective at values x (n_component). Not safe for use by several threads.
  double objective(std::span<const double> x);
  /// The same with its parts.
  Evaluation evaluate(std::span<const double> x);
  /// Frames without equilibrium at the point evaluated last, (n_mtu), all trials.
  std::vector<std::size_t> failures() const;

 private:
  using Key = std::array<double, kernel::n_parameter_kind>;

  /// The last two results by the parameters of their MTU.
  template <class Result>
  struct LastTwo {
    struct Kept {
      Key key{};
      bool is_set = false;
      Result result;
    };
    std::array<Kept, 2> kept;
    std::size_t last = 0;

    const Result& latest() const noexcept { return kept[last].result; }

    /// A result whose key is the same, or a new one, which make(result) fills, for the older.
    template <class Same, class Make>
    const Result& get(const Key& key, const Same& same, const Make& make) {
      for (std::size_t i = 0; i < kept.size(); ++i)
        if (kept[i].is_set && same(kept[i].key, key)) {
          last = i;
          return latest();
        }
      last = 1 - last;
      kept[last].key = key;
      kept[last].is_set = true;
      make(kept[last].result);
      return latest();
    }
  };
  /// One MTU in one trial.
  struct MtuState {
    LastTwo<Activations> activations;
    LastTwo<MtuTrace> traces;
  };
  struct TrialState {
    Trial trial;
    std::vector<double> measured;    ///< (n_dof, n_step)
    std::vector<double> variance{};  ///< (n_dof)
    std::vector<MtuState> mtus{};
    std::vector<double> error{};       ///< (n_step), scratch
    std::vector<double> square_sum{};  ///< by DOF that counts
    double penalty = 0.0;
  };

  void set_parameters(std::span<const double> x);
  void run_trial(TrialState& state) const;
  const MtuTrace& trace(TrialState& state, std::size_t mtu) const;
  double penalty_of(const MtuTrace& trace, std::size_t mtu) const;
  void add_errors(TrialState& state) const;
  double moment_term(const TrialState& state, std::size_t dof) const;
  double penalty_term(const TrialState& state) const;

  Curves curves_;
  Model model_;
  std::vector<std::size_t> dofs_;
  kernel::ParameterMap map_;
  std::optional<terms::Objective> objective_;
  terms::Balance balance_;
  ParallelFor parallel_;
  std::vector<double> parameters_;
  std::vector<double> isometric_force_;
  std::vector<TrialState> trials_;
  kernel::OneAtATime lock_;
};

/// Sample variance, in two passes with the first-order correction of round-off (reference D.3).
double sample_variance(std::span<const double> values) noexcept;

}  // namespace ceinms_torch::legacy
