/// @file hybrid_problem.hpp
/// The synergy-hybrid calibration, eq. (5): model parameters, primitives and weightings at once.
#pragma once

#include "ceinms_torch/calibration/problem.hpp"

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace ceinms_torch::calibration {

/// Recorded excitations of one trial at the nodes of its primitives: node j is at row
/// min(j * rows_per_node, n_row - 1) of the trial's excitations.
struct RecordedChannels {
  std::size_t n_node;
  std::size_t rows_per_node;
  double row_interval;             ///< from one row to the next [s]
  std::vector<double> excitation;  ///< (n_channel, n_node)
};

/// How synergies make excitations, and what these are compared with.
struct SynergyData {
  std::size_t n_synergy;
  std::size_t n_channel;                 ///< recorded excitations that are tracked
  std::vector<std::size_t> synthesised;  ///< MTUs that synergies drive
  std::vector<RecordedChannels> trials;
  bool shared_weightings;  ///< one set of weightings for all trials, or one for each
  bool exact_bounds;       ///< primitives and weightings stay in 0..1; else a penalty keeps them
  kernel::HybridOptions options;

  std::size_t n_weighted() const noexcept { return n_channel + synthesised.size(); }
};

/// A calibration step whose unrecorded excitations are sums of synergies.
///
/// A point holds the parameters' place in the unit box, as for `Problem`, then the weightings
/// (n_set, n_channel + n_synthesised, n_synergy), n_set being 1 or the number of trials, then the
/// primitives (n_synergy, n_node) of every trial. Excitations are linear between nodes, and what
/// is beyond 0..1 acts as 0 or 1, as it does in every trial.
class HybridProblem final : public SmoothProblem {
 public:
  HybridProblem(std::shared_ptr<Problem> problem, SynergyData data);

  std::size_t n_component() const noexcept override { return first_.back(); }
  std::size_t n_boxed() const noexcept override {
    return data_.exact_bounds ? n_component() : problem_->n_component();
  }
  /// Those of the problem, then "excitation", "synthesised", "bounds" and, if it has a weight,
  /// "smoothness".
  std::vector<std::string> term_names() const override;
  const Evaluation& gradient(const double* x, double* gradient) override;

 private:
  enum Term : std::size_t { excitation, synthesised, bounds, smoothness, n_term };
  /// Weights of squares in one trial.
  struct Weights {
    double excitation;
    double synthesised;
    kernel::RangePenalty node;       ///< of an excitation or a primitive
    kernel::RangePenalty weighting;  ///< of each weighting
  };
  /// A trial's part of a point, and of the gradient there.
  struct Synergies {
    const double* weighting;  ///< (n_weighted, n_synergy)
    const double* primitive;  ///< (n_synergy, n_node)
    double* by_weighting;
    double* by_primitive;
  };

  Synergies synergies(const double* x, double* gradient, std::size_t trial) const noexcept;
  /// The excitation in node_ between two nodes.
  double at_row(std::size_t node, double share) const noexcept {
    return (1.0 - share) * node_[node] + share * node_[node + 1];
  }
  void reconstruct(const Synergies& synergies, std::size_t trial, std::size_t weighted);
  void load_excitations(const double* x, double* gradient);
  void add_terms(const Synergies& synergies, std::size_t trial);
  void add_tracking(std::size_t trial, std::size_t channel);
  void add_synthesised(std::size_t trial, std::size_t mtu);
  void add_smoothness(std::size_t trial);
  void add_bounds(const double* value, std::size_t n, const kernel::RangePenalty& range,
                  double* gradient);

  std::size_t n_sum() const noexcept {
    return data_.options.smoothness_weight > 0.0 ? n_term : Term::smoothness;
  }

  std::shared_ptr<Problem> problem_;
  SynergyData data_;
  std::vector<Weights> weights_;    ///< by trial
  std::vector<std::size_t> first_;  ///< where each trial's primitives begin; last: where they end
  std::vector<double> node_;        ///< an excitation at the nodes of a trial
  std::vector<double> by_node_;     ///< derivatives by it
  std::vector<double> row_;         ///< the same excitation, or derivatives, at the rows
  std::array<double, n_term> sums_{};
  Evaluation evaluation_;
};

}  // namespace ceinms_torch::calibration
