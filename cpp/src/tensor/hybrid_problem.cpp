#include "ceinms_torch/tensor/hybrid_problem.hpp"

#include <ATen/ATen.h>

#include <array>

namespace ceinms_torch::tensor {
std::int64_t HybridProblem::first_primitive() const {
  return problem.n_component() + (shared_weightings ? 1 : n_trial()) * n_weighted() * n_synergy;
}

std::int64_t HybridProblem::n_component() const {
  std::int64_t n = first_primitive();
  for (const at::Tensor& one : recorded) n += n_synergy * one.size(1);
  return n;
}

void HybridProblem::check() const {
  problem.check();
  TORCH_CHECK_VALUE(n_synergy > 0, "n_synergy: expected at least 1, got ", n_synergy, ".");
  const at::Tensor& excitation = problem.batch.excitation;
  TORCH_CHECK_VALUE(n_trial() == excitation.size(2) && interpolation.size() == recorded.size() &&
                        interval.size() == recorded.size(),
                    "recorded, interpolation, interval: expected one per trial, got ",
                    recorded.size(), ", ", interpolation.size(), " and ", interval.size(), ".");
  TORCH_CHECK_VALUE(synthesised.numel() > 0 && synthesised.min().item<std::int64_t>() >= 0 &&
                        synthesised.max().item<std::int64_t>() < excitation.size(1),
                    "synthesised: expected indices of MTUs, got none or others.");
  for (std::size_t trial = 0; trial < recorded.size(); ++trial) {
    TORCH_CHECK_VALUE(recorded[trial].dim() == 2,
                      "recorded: expected shape (n_channel, n_node), got ", recorded[trial].dim(),
                      " dimensions.");
    const std::int64_t n_node = recorded[trial].size(1);
    check_shape("recorded", recorded[trial], {recorded.front().size(0), n_node});
    check_shape("interpolation", interpolation[trial], {excitation.size(0), n_node});
    check_numbers("recorded", recorded[trial]);
    check_numbers("interpolation", interpolation[trial]);
    check_shape("interval", interval[trial], {n_node - 1});
    TORCH_CHECK_VALUE((interval[trial] > 0.0).all().item<bool>(),
                      "interval: expected positive numbers, got one that is not.");
  }
}

void HybridProblem::check_point(const at::Tensor& x) const {
  check_shape("x", x, {n_component()});
  check_numbers("x", x);
  const at::Tensor boxed = x.narrow(0, 0, n_boxed());
  TORCH_CHECK_VALUE(((boxed >= 0.0) & (boxed <= 1.0)).all().item<bool>(),
                    "x: expected numbers from 0 to 1, got one outside.");
}

std::vector<std::string> HybridProblem::term_names() const {
  std::vector<std::string> names = problem.term_names();
  for (std::string& name : terms::names_of(objective, problem.simulation.tendon))
    names.push_back(std::move(name));
  return names;
}

Evaluation HybridProblem::evaluate(const at::Tensor& x) const {
  const std::int64_t n_channel = recorded.front().size(0);
  const double per_trial = balance_of(problem.objective, problem.target).per_trial();
  std::array<at::Tensor, terms::n_term<terms::SynergyObjective>> sums;
  sums.fill(at::zeros({}, x.options()));
  const auto add = [&](terms::Node seen, const at::Tensor& value, const at::Tensor& other,
                       const auto& share) {
    terms::for_each(objective, [&](const auto& term, std::size_t place) {
      if (term.observes == seen)
        sums[place] =
            sums[place] + term.weight * (term.residual(value, other).square() * share).sum();
    });
  };
  std::vector<at::Tensor> rows;
  std::int64_t set = problem.n_component();
  std::int64_t primitive = first_primitive();
  for (std::size_t trial = 0; trial < recorded.size(); ++trial) {
    const std::int64_t n_node = recorded[trial].size(1);
    const at::Tensor weightings =
        x.narrow(0, set, n_weighted() * n_synergy).view({n_weighted(), n_synergy});
    const at::Tensor primitives =
        x.narrow(0, primitive, n_synergy * n_node).view({n_synergy, n_node});
    if (!shared_weightings) set += n_weighted() * n_synergy;
    primitive += n_synergy * n_node;
    const at::Tensor reconstructed = at::matmul(weightings, primitives);
    const at::Tensor made = reconstructed.slice(0, n_channel);
    rows.push_back(at::matmul(interpolation[trial], made.t()).clamp(0.0, 1.0));

    const double per_node = per_trial / static_cast<double>(n_node);
    const double n_made = static_cast<double>(made.size(0));
    add(terms::Node::recorded, reconstructed.slice(0, 0, n_channel), recorded[trial],
        per_node / static_cast<double>(n_channel));
    add(terms::Node::synthesised, made, made, per_node / n_made);
    add(terms::Node::change, made.slice(1, 0, n_node - 1), made.slice(1, 1),
        per_trial / (interval[trial] * interval[trial].sum()) / n_made);
    add(terms::Node::factor, made, made, per_node);
    add(terms::Node::factor, primitives, primitives, per_node);
    add(terms::Node::factor, weightings, weightings, per_trial);
  }
  Evaluation result =
      problem.evaluate(x.narrow(0, 0, problem.n_component()),
                       problem.batch.excitation.index_copy(1, synthesised, at::stack(rows, 2)));
  terms::for_each(objective, [&](const auto& term, std::size_t place) {
    if (term.counts(problem.simulation.tendon))
      result.terms.push_back({std::string(term.name), sums[place]});
  });
  return result;
}

}  // namespace ceinms_torch::tensor
