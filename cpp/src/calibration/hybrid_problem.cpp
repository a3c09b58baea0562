#include "ceinms_torch/calibration/hybrid_problem.hpp"

#include <algorithm>
#include <numeric>

namespace ceinms_torch::calibration {
namespace {

/// Calls f(row, node below, share of the node above) for every row of a trial.
template <class F>
void for_each_row(std::size_t n_row, std::size_t rows_per_node, std::size_t n_node, const F& f) {
  for (std::size_t node = 0; node + 1 < n_node; ++node) {
    const std::size_t begin = node * rows_per_node;
    const std::size_t end = std::min(begin + rows_per_node, n_row - 1);
    const double scale = 1.0 / static_cast<double>(end - begin);
    for (std::size_t row = begin; row < end; ++row)
      f(row, node, static_cast<double>(row - begin) * scale);
  }
  f(n_row - 1, n_node - 2, 1.0);
}

}  // namespace

HybridProblem::HybridProblem(std::shared_ptr<Problem> problem, SynergyData data)
    : problem_(std::move(problem)), data_(std::move(data)) {
  const auto weight = [&](std::size_t n_node, std::size_t n_excitation, double each) {
    return kernel::excitation_weight(problem_->normalisation(), problem_->sizes(),
                                     static_cast<double>(n_node), static_cast<double>(n_excitation),
                                     each);
  };
  const auto range = [&](std::size_t n_node) {
    kernel::RangePenalty result = data_.options.bounds;
    result.weight = weight(n_node, 1, result.weight);
    return result;
  };
  const std::size_t n_trial = data_.trials.size();
  const std::size_t n_set = data_.shared_weightings ? 1 : n_trial;
  first_.push_back(problem_->n_component() + n_set * data_.n_weighted() * data_.n_synergy);
  for (std::size_t trial = 0; trial < n_trial; ++trial) {
    const std::size_t n_node = data_.trials[trial].n_node;
    weights_.push_back({weight(n_node, data_.n_channel, data_.options.excitation_weight),
                        weight(n_node, data_.synthesised.size(), data_.options.synthesised_weight),
                        range(n_node), range(1)});
    first_.push_back(first_.back() + data_.n_synergy * n_node);
  }
}

std::vector<std::string> HybridProblem::term_names() const {
  std::vector<std::string> names = problem_->term_names();
  constexpr std::array<const char*, n_term> own{"excitation", "synthesised", "bounds",
                                                "smoothness"};
  names.insert(names.end(), own.begin(), own.begin() + n_sum());
  return names;
}

HybridProblem::Synergies HybridProblem::synergies(const double* x, double* gradient,
                                                  std::size_t trial) const noexcept {
  const std::size_t set = data_.shared_weightings ? 0 : trial;
  const std::size_t weighting =
      problem_->n_component() + set * data_.n_weighted() * data_.n_synergy;
  return {x + weighting, x + first_[trial], gradient + weighting, gradient + first_[trial]};
}

/// The excitation of one row of the weightings, at the nodes: into node_.
void HybridProblem::reconstruct(const Synergies& synergies, std::size_t trial,
                                std::size_t weighted) {
  const std::size_t n_node = data_.trials[trial].n_node;
  node_.assign(n_node, 0.0);
  for (std::size_t k = 0; k < data_.n_synergy; ++k) {
    const double weighting = synergies.weighting[weighted * data_.n_synergy + k];
    const double* primitive = synergies.primitive + k * n_node;
    for (std::size_t node = 0; node < n_node; ++node) node_[node] += weighting * primitive[node];
  }
}

/// Let synergies drive their MTUs.
void HybridProblem::load_excitations(const double* x, double* gradient) {
  for (std::size_t trial = 0; trial < data_.trials.size(); ++trial) {
    const RecordedChannels& recorded = data_.trials[trial];
    const Synergies at = synergies(x, gradient, trial);
    row_.resize(problem_->layout().n_row(trial));
    for (std::size_t i = 0; i < data_.synthesised.size(); ++i) {
      reconstruct(at, trial, data_.n_channel + i);
      for_each_row(row_.size(), recorded.rows_per_node, recorded.n_node,
                   [&](std::size_t row, std::size_t node, double share) {
                     row_[row] = std::clamp(at_row(node, share), 0.0, 1.0);
                   });
      problem_->load_excitation(trial, data_.synthesised[i], row_.data());
    }
  }
}

const Evaluation& HybridProblem::gradient(const double* x, double* gradient) {
  load_excitations(x, gradient);
  evaluation_ = problem_->gradient(x, gradient);
  std::fill(gradient + problem_->n_component(), gradient + n_component(), 0.0);
  sums_.fill(0.0);
  for (std::size_t trial = 0; trial < data_.trials.size(); ++trial)
    add_terms(synergies(x, gradient, trial), trial);
  evaluation_.terms.insert(evaluation_.terms.end(), sums_.begin(), sums_.begin() + n_sum());
  evaluation_.objective += std::accumulate(sums_.begin(), sums_.end(), 0.0);
  return evaluation_;
}

/// What eq. (5) adds in one trial, and all derivatives by its weightings and primitives.
void HybridProblem::add_terms(const Synergies& synergies, std::size_t trial) {
  const std::size_t n_node = data_.trials[trial].n_node;
  const std::size_t n_synergy = data_.n_synergy;
  for (std::size_t weighted = 0; weighted < data_.n_weighted(); ++weighted) {
    reconstruct(synergies, trial, weighted);
    by_node_.assign(n_node, 0.0);
    if (weighted < data_.n_channel)
      add_tracking(trial, weighted);
    else
      add_synthesised(trial, data_.synthesised[weighted - data_.n_channel]);
    for (std::size_t k = 0; k < n_synergy; ++k) {
      const double weighting = synergies.weighting[weighted * n_synergy + k];
      const double* primitive = synergies.primitive + k * n_node;
      double* by_primitive = synergies.by_primitive + k * n_node;
      double by_weighting = 0.0;
      for (std::size_t node = 0; node < n_node; ++node) {
        by_weighting += by_node_[node] * primitive[node];
        by_primitive[node] += by_node_[node] * weighting;
      }
      synergies.by_weighting[weighted * n_synergy + k] += by_weighting;
    }
  }
  add_bounds(synergies.primitive, n_synergy * n_node, weights_[trial].node, synergies.by_primitive);
  add_bounds(synergies.weighting, data_.n_weighted() * n_synergy, weights_[trial].weighting,
             synergies.by_weighting);
}

/// The difference of node_ from what was recorded.
void HybridProblem::add_tracking(std::size_t trial, std::size_t channel) {
  const double* recorded = data_.trials[trial].excitation.data() + channel * node_.size();
  const double weight = weights_[trial].excitation;
  for (std::size_t node = 0; node < node_.size(); ++node) {
    const double error = node_[node] - recorded[node];
    sums_[Term::excitation] += weight * error * error;
    by_node_[node] += 2.0 * weight * error;
  }
}

/// The size of node_, which drives an MTU, and what comes back from that MTU's moments.
void HybridProblem::add_synthesised(std::size_t trial, std::size_t mtu) {
  const RecordedChannels& recorded = data_.trials[trial];
  const double weight = weights_[trial].synthesised;
  row_.assign(problem_->layout().n_row(trial), 0.0);
  problem_->add_excitation_gradient(trial, mtu, row_.data());
  for_each_row(row_.size(), recorded.rows_per_node, recorded.n_node,
               [&](std::size_t row, std::size_t node, double share) {
                 const double value = at_row(node, share);
                 if (value < 0.0 || value > 1.0) return;
                 by_node_[node] += (1.0 - share) * row_[row];
                 by_node_[node + 1] += share * row_[row];
               });
  for (std::size_t node = 0; node < node_.size(); ++node) {
    sums_[Term::synthesised] += weight * node_[node] * node_[node];
    by_node_[node] += 2.0 * weight * node_[node];
  }
  add_bounds(node_.data(), node_.size(), weights_[trial].node, by_node_.data());
  if (data_.options.smoothness_weight > 0.0) add_smoothness(trial);
}

/// How fast node_ changes.
void HybridProblem::add_smoothness(std::size_t trial) {
  const RecordedChannels& recorded = data_.trials[trial];
  const std::size_t n_row = problem_->layout().n_row(trial);
  const double duration = static_cast<double>(n_row - 1) * recorded.row_interval;
  for (std::size_t node = 0; node + 1 < recorded.n_node; ++node) {
    const std::size_t begin = node * recorded.rows_per_node;
    const std::size_t end = std::min(begin + recorded.rows_per_node, n_row - 1);
    const double weight = kernel::smoothness_weight(
        problem_->normalisation(), problem_->sizes(),
        static_cast<double>(end - begin) * recorded.row_interval, duration,
        static_cast<double>(data_.synthesised.size()), data_.options.smoothness_weight);
    const double difference = node_[node + 1] - node_[node];
    sums_[Term::smoothness] += weight * difference * difference;
    by_node_[node + 1] += 2.0 * weight * difference;
    by_node_[node] -= 2.0 * weight * difference;
  }
}

/// The penalty on numbers outside a range.
void HybridProblem::add_bounds(const double* value, std::size_t n,
                               const kernel::RangePenalty& range, double* gradient) {
  for (std::size_t i = 0; i < n; ++i) {
    const double distance = kernel::distance_outside(value[i], range);
    if (distance == 0.0) continue;
    sums_[Term::bounds] += range.weight * distance * distance;
    gradient[i] += 2.0 * range.weight * (value[i] > range.highest ? distance : -distance);
  }
}

}  // namespace ceinms_torch::calibration
