/// @file synergy_problem.hpp
/// The synergy-hybrid calibration, eq. (5): model parameters, primitives and weightings at once.
#pragma once

#include "ceinms_torch/calibration/problem.hpp"
#include "ceinms_torch/terms/terms.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace ceinms_torch::calibration {

/// Recorded excitations of one trial at the nodes of its primitives: node j is at row
/// min(j * rows_per_node, n_row - 1) of the trial's excitations.
struct RecordedChannels {
  std::size_t n_row;
  std::size_t n_node;
  std::size_t rows_per_node;
  double row_interval;             ///< from one row to the next [s]
  std::vector<double> excitation;  ///< (n_channel, n_node)
  std::vector<double> expected;    ///< (n_tied, n_node), of synthesised excitations that are tied

  std::size_t row_of(std::size_t node) const noexcept {
    return std::min(node * rows_per_node, n_row - 1);
  }
  /// Between two times in the rows [s].
  double time_between(std::size_t row, std::size_t later) const noexcept {
    return static_cast<double>(later - row) * row_interval;
  }
  /// Calls f(row, node below, share of the node above) for every row.
  template <class F>
  void for_each_row(const F& f) const {
    for (std::size_t node = 0; node + 1 < n_node; ++node) {
      const std::size_t begin = row_of(node), end = row_of(node + 1);
      const double scale = 1.0 / static_cast<double>(end - begin);
      for (std::size_t row = begin; row < end; ++row)
        f(row, node, static_cast<double>(row - begin) * scale);
    }
    f(n_row - 1, n_node - 2, 1.0);
  }
};

/// How synergies make excitations, and what these are compared with.
struct SynergyData {
  std::size_t n_synergy;
  std::size_t n_channel;                 ///< recorded excitations that are tracked
  std::vector<std::size_t> synthesised;  ///< MTUs that synergies drive
  std::vector<std::size_t> tied;         ///< which of these are tied, by their place among them
  std::vector<RecordedChannels> trials;
  bool shared_weightings;  ///< one set of weightings for all trials, or one for each
  bool exact_bounds;       ///< primitives and weightings stay in 0..1; else a penalty keeps them
  terms::SynergyObjective objective;

  std::size_t n_weighted() const noexcept { return n_channel + synthesised.size(); }
  /// Where each trial's primitives begin in a point, after n parameters; last: where they end.
  std::vector<std::size_t> first_primitives(std::size_t n) const;
};

/// A calibration step whose unrecorded excitations are sums of synergies.
///
/// A point holds the parameters' place in the unit box, as for `Problem`, then the weightings
/// (n_set, n_channel + n_synthesised, n_synergy), n_set being 1 or the number of trials, then the
/// primitives (n_synergy, n_node) of every trial. Excitations are linear between nodes, and what
/// is beyond 0..1 acts as 0 or 1, as it does in every trial.
class SynergyProblem final : public SmoothProblem {
 public:
  SynergyProblem(std::shared_ptr<Problem> problem, SynergyData data);

  std::size_t n_component() const noexcept override { return first_.back(); }
  std::size_t n_boxed() const noexcept override {
    return data_.exact_bounds ? n_component() : problem_->n_component();
  }
  /// Those of the problem, then those of terms::SynergyObjective.
  std::vector<std::string> term_names() const override;
  const Evaluation& gradient(const double* x, double* gradient) override;
  kernel::OneAtATime& lock() noexcept override { return problem_->lock(); }

 private:
  /// A trial's part of a point, and of the gradient there.
  struct Synergies {
    const double* weighting;  ///< (n_weighted, n_synergy)
    const double* primitive;  ///< (n_synergy, n_node)
    double* by_weighting;
    double* by_primitive;
  };

  /// Values that terms observe, and their derivatives.
  struct ObservedNodes {
    terms::Node observed;
    const double* value;  ///< (n)
    const double* other;  ///< (n), the number beside each; or the value itself
    std::size_t n;
    double share;                ///< of a squared residual in a term without its weight
    double* by_value;            ///< added to
    double* by_other = nullptr;  ///< added to, where it is not the same
  };

  Synergies synergies(const double* x, double* gradient, std::size_t trial) const noexcept;
  /// The excitation in node_ between two nodes.
  double at_row(std::size_t node, double share) const noexcept {
    return (1.0 - share) * node_[node] + share * node_[node + 1];
  }
  void reconstruct(const Synergies& synergies, std::size_t trial, std::size_t weighted);
  void load_excitations(const double* x, double* gradient);
  void add_terms(const Synergies& synergies, std::size_t trial);
  void add_driven(std::size_t trial, std::size_t made, double per_node);
  void scale_patterns(const double* x, double* gradient);
  void add_tie(std::size_t trial, std::size_t tied, double share);
  void add(const ObservedNodes& nodes);

  std::shared_ptr<Problem> problem_;
  SynergyData data_;
  std::vector<std::size_t> first_;  ///< SynergyData::first_primitives
  std::vector<double> node_;        ///< an excitation at the nodes of a trial
  std::vector<double> by_node_;     ///< derivatives by it
  std::vector<double> row_;         ///< the same excitation, or derivatives, at the rows
  std::vector<double> scale_;       ///< on the pattern of every MTU that is tied
  std::vector<double> pattern_, size_, wanted_, by_size_;  ///< of one of these, at the nodes
  std::array<double, terms::n_term<terms::SynergyObjective>> sums_{};
  Evaluation evaluation_;
};

}  // namespace ceinms_torch::calibration
