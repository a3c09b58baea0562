#include "ceinms_torch/calibration/synergy_problem.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ceinms_torch::calibration {

std::vector<std::size_t> SynergyData::first_primitives(std::size_t n) const {
  std::vector<std::size_t> first{n + (shared_weightings ? 1 : trials.size()) * n_weighted() *
                                         n_synergy};
  for (const RecordedChannels& trial : trials)
    first.push_back(first.back() + n_synergy * trial.n_node);
  return first;
}

SynergyProblem::SynergyProblem(std::shared_ptr<Problem> problem, SynergyData data)
    : problem_(std::move(problem)),
      data_(std::move(data)),
      first_(data_.first_primitives(problem_->n_component())) {}

std::vector<std::string> SynergyProblem::term_names() const {
  std::vector<std::string> names = problem_->term_names();
  for (const std::string& name : terms::names_of(data_.objective, problem_->tendon()))
    names.push_back(name);
  return names;
}

SynergyProblem::Synergies SynergyProblem::synergies(const double* x, double* gradient,
                                                    std::size_t trial) const noexcept {
  const std::size_t set = data_.shared_weightings ? 0 : trial;
  const std::size_t weighting =
      problem_->n_component() + set * data_.n_weighted() * data_.n_synergy;
  return {x + weighting, x + first_[trial], gradient + weighting, gradient + first_[trial]};
}

/// The excitation of one row of the weightings, at the nodes: into node_.
void SynergyProblem::reconstruct(const Synergies& synergies, std::size_t trial,
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
void SynergyProblem::load_excitations(const double* x, double* gradient) {
  for (std::size_t trial = 0; trial < data_.trials.size(); ++trial) {
    const RecordedChannels& recorded = data_.trials[trial];
    const Synergies at = synergies(x, gradient, trial);
    row_.resize(recorded.n_row);
    for (std::size_t i = 0; i < data_.synthesised.size(); ++i) {
      reconstruct(at, trial, data_.n_channel + i);
      recorded.for_each_row([&](std::size_t row, std::size_t node, double share) {
        row_[row] = std::clamp(at_row(node, share), 0.0, 1.0);
      });
      problem_->load_excitation(trial, data_.synthesised[i], row_.data());
    }
  }
}

const Evaluation& SynergyProblem::gradient(const double* x, double* gradient) {
  load_excitations(x, gradient);
  evaluation_ = problem_->gradient(x, gradient);
  std::fill(gradient + problem_->n_component(), gradient + n_component(), 0.0);
  sums_.fill(0.0);
  scale_patterns(x, gradient);
  for (std::size_t trial = 0; trial < data_.trials.size(); ++trial)
    add_terms(synergies(x, gradient, trial), trial);
  terms::append_values(data_.objective, problem_->tendon(), sums_, evaluation_.terms);
  evaluation_.objective += std::accumulate(sums_.begin(), sums_.end(), 0.0);
  return evaluation_;
}

/// What eq. (5) adds in one trial, and all derivatives by its weightings and primitives.
void SynergyProblem::add_terms(const Synergies& synergies, std::size_t trial) {
  const std::size_t n_node = data_.trials[trial].n_node;
  const std::size_t n_synergy = data_.n_synergy;
  const double per_trial = problem_->balance().per_trial();
  const double per_node = per_trial / static_cast<double>(n_node);
  for (std::size_t weighted = 0; weighted < data_.n_weighted(); ++weighted) {
    reconstruct(synergies, trial, weighted);
    by_node_.assign(n_node, 0.0);
    if (weighted < data_.n_channel)
      add({.observed = terms::Node::recorded,
           .value = node_.data(),
           .other = data_.trials[trial].excitation.data() + weighted * n_node,
           .n = n_node,
           .share = per_node / static_cast<double>(data_.n_channel),
           .by_value = by_node_.data()});
    else
      add_driven(trial, weighted - data_.n_channel, per_node);
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
  const auto add_factors = [&](const double* value, std::size_t n, double share, double* by_value) {
    add({terms::Node::factor, value, value, n, share, by_value});
  };
  add_factors(synergies.primitive, n_synergy * n_node, per_node, synergies.by_primitive);
  add_factors(synergies.weighting, data_.n_weighted() * n_synergy, per_trial,
              synergies.by_weighting);
}

/// What a synthesised MTU is driven by, node_, and what comes back from that MTU's moments.
void SynergyProblem::add_driven(std::size_t trial, std::size_t made, double per_node) {
  const RecordedChannels& recorded = data_.trials[trial];
  const std::size_t n_node = recorded.n_node;
  row_.assign(recorded.n_row, 0.0);
  problem_->add_excitation_gradient(trial, data_.synthesised[made], row_.data());
  recorded.for_each_row([&](std::size_t row, std::size_t node, double share) {
    const double value = at_row(node, share);
    if (value < 0.0 || value > 1.0) return;
    by_node_[node] += (1.0 - share) * row_[row];
    by_node_[node + 1] += share * row_[row];
  });
  const double n_excitation = static_cast<double>(data_.synthesised.size());
  const double* value = node_.data();
  double* by_value = by_node_.data();
  add({terms::Node::synthesised, value, value, n_node, per_node / n_excitation, by_value});
  add({terms::Node::factor, value, value, n_node, per_node, by_value});
  for (std::size_t i = 0; i < data_.tied.size(); ++i)
    if (data_.tied[i] == made) add_tie(trial, i, per_node / static_cast<double>(data_.tied.size()));
  const double duration = recorded.time_between(0, recorded.n_row - 1);
  for (std::size_t node = 0; node + 1 < n_node; ++node) {
    const double interval = recorded.time_between(recorded.row_of(node), recorded.row_of(node + 1));
    add({.observed = terms::Node::change,
         .value = value + node,
         .other = value + node + 1,
         .n = 1,
         .share = problem_->balance().per_trial() / (interval * duration) / n_excitation,
         .by_value = by_value + node,
         .by_other = by_value + node + 1});
  }
}

/// The factor on every pattern that comes nearest to the excitation that is tied to it.
void SynergyProblem::scale_patterns(const double* x, double* gradient) {
  scale_.assign(data_.tied.size(), 1.0);
  for (std::size_t i = 0; i < data_.tied.size(); ++i) {
    double both = 0.0, own = 0.0;
    for (std::size_t trial = 0; trial < data_.trials.size(); ++trial) {
      const RecordedChannels& recorded = data_.trials[trial];
      const double per_node = 1.0 / static_cast<double>(recorded.n_node);
      const double* pattern = recorded.expected.data() + i * recorded.n_node;
      reconstruct(synergies(x, gradient, trial), trial, data_.n_channel + data_.tied[i]);
      for (std::size_t node = 0; node < recorded.n_node; ++node) {
        both += per_node * node_[node] * pattern[node];
        own += per_node * pattern[node] * pattern[node];
      }
    }
    if (own > 0.0) scale_[i] = both / own;
  }
}

/// What ties the excitation in node_ to its pattern. The factor is where the first part is least,
/// so that it is a constant there; through the second, every node moves it.
void SynergyProblem::add_tie(std::size_t trial, std::size_t tied, double share) {
  const std::size_t n_node = data_.trials[trial].n_node;
  const double* pattern = data_.trials[trial].expected.data() + tied * n_node;
  const double counts = std::sqrt(std::get<terms::Tie>(data_.objective.list).amplitude);
  pattern_.assign(pattern, pattern + n_node);
  wanted_ = size_ = pattern_;
  by_size_.assign(n_node, 0.0);
  for (std::size_t node = 0; node < n_node; ++node) {
    pattern_[node] *= scale_[tied];
    wanted_[node] *= counts;
    size_[node] = scale_[tied] * wanted_[node];
  }
  const auto add_nodes = [&](const double* value, const double* other, double* by_value) {
    add({terms::Node::tied, value, other, n_node, share, by_value});
  };
  add_nodes(node_.data(), pattern_.data(), by_node_.data());
  add_nodes(size_.data(), wanted_.data(), by_size_.data());
  for (std::size_t node = 0; node < n_node; ++node) by_node_[node] += counts * by_size_[node];
}

/// The terms that observe such nodes.
void SynergyProblem::add(const ObservedNodes& nodes) {
  using Number = kernel::Dual<double, 2>;
  terms::for_each(data_.objective, [&](const auto& term, std::size_t place) {
    if (term.observes != nodes.observed || term.weight == 0.0) return;
    const double weight = term.weight * nodes.share;
    for (std::size_t i = 0; i < nodes.n; ++i) {
      const Number residual = term.residual(Number::variable(nodes.value[i], 1.0, 0),
                                            Number::variable(nodes.other[i], 1.0, 1));
      sums_[place] += weight * residual.value * residual.value;
      const double by_residual = 2.0 * weight * residual.value;
      nodes.by_value[i] += by_residual * residual.partial[0];
      if (nodes.by_other != nullptr) nodes.by_other[i] += by_residual * residual.partial[1];
    }
  });
}

}  // namespace ceinms_torch::calibration
