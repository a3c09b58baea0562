#include "ceinms_torch/tensor/synergy_problem.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace ceinms_torch::tensor {

SynergyProblem::SynergyProblem(Problem problem, calibration::SynergyData data)
    : problem_(std::move(problem)),
      data_(std::move(data)),
      first_(data_.first_primitives(problem_.map.n_component())) {
  const at::Tensor& excitation = problem_.batch.excitation;
  TORCH_CHECK_VALUE(static_cast<std::int64_t>(data_.trials.size()) == excitation.size(2),
                    "synergies: expected those of ", excitation.size(2), " trials, got of ",
                    data_.trials.size(), ".");
  for (const std::size_t mtu : data_.synthesised)
    TORCH_CHECK_VALUE(mtu < static_cast<std::size_t>(excitation.size(1)),
                      "synthesised: expected indices from 0 to ", excitation.size(1) - 1, ", got ",
                      mtu, ".");
  for (const calibration::RecordedChannels& trial : data_.trials) {
    const auto n_row = static_cast<std::int64_t>(trial.n_row);
    const auto n_node = static_cast<std::int64_t>(trial.n_node);
    TORCH_CHECK_VALUE(trial.n_row <= static_cast<std::size_t>(excitation.size(0)),
                      "n_row: expected at most ", excitation.size(0), ", got ", trial.n_row, ".");
    at::Tensor interpolation = at::zeros({excitation.size(0), n_node}, at::kDouble);
    auto weight = interpolation.accessor<double, 2>();
    trial.for_each_row([&](std::size_t row, std::size_t node, double share) {
      const auto to = static_cast<std::int64_t>(row), below = static_cast<std::int64_t>(node);
      weight[to][below] = 1.0 - share;
      weight[to][below + 1] = share;
    });
    // Rows beyond a trial's end repeat its last one, as in the batch of the trials.
    interpolation.slice(0, n_row).copy_(interpolation[n_row - 1]);
    std::vector<double> interval;
    for (std::size_t node = 0; node + 1 < trial.n_node; ++node)
      interval.push_back(trial.time_between(trial.row_of(node), trial.row_of(node + 1)));
    trials_.push_back({at::tensor(trial.excitation).view({-1, n_node}).to(excitation.device()),
                       at::tensor(trial.expected, at::kDouble)
                           .view({static_cast<std::int64_t>(data_.tied.size()), n_node})
                           .to(excitation.device()),
                       interpolation.to(excitation.device()),
                       at::tensor(interval).to(excitation.device())});
  }
  const auto to_tensor = [&](const std::vector<std::size_t>& indices) {
    return at::tensor(std::vector<std::int64_t>(indices.begin(), indices.end()), at::kLong)
        .to(excitation.device());
  };
  synthesised_ = to_tensor(data_.synthesised);
  tied_ = to_tensor(data_.tied);
}

void SynergyProblem::check_point(const at::Tensor& x) const {
  check_shape("x", x, {n_component()});
  check_numbers("x", x);
  const at::Tensor boxed = x.narrow(0, 0, n_boxed());
  TORCH_CHECK_VALUE(((boxed >= 0.0) & (boxed <= 1.0)).all().item<bool>(),
                    "x: expected numbers from 0 to 1, got one outside.");
}

std::vector<std::string> SynergyProblem::term_names() const {
  std::vector<std::string> names = problem_.term_names();
  for (std::string& name : terms::names_of(data_.objective, problem_.simulation.tendon))
    names.push_back(std::move(name));
  return names;
}

Evaluation SynergyProblem::evaluate(const at::Tensor& x) const {
  const double per_trial = balance_of(problem_.objective, problem_.target).per_trial();
  std::array<at::Tensor, terms::n_term<terms::SynergyObjective>> sums;
  sums.fill(at::zeros({}, x.options()));
  const auto add = [&](terms::Node seen, const at::Tensor& value, const at::Tensor& other,
                       const auto& share) {
    terms::for_each(data_.objective, [&](const auto& term, std::size_t place) {
      if (term.observes == seen)
        sums[place] =
            sums[place] + term.weight * (term.residual(value, other).square() * share).sum();
    });
  };
  // Some numbers of a point, from one place on, in rows.
  const auto part = [&](std::size_t first, std::size_t n_row, std::size_t n_column) {
    return x
        .narrow(0, static_cast<std::int64_t>(first), static_cast<std::int64_t>(n_row * n_column))
        .view({static_cast<std::int64_t>(n_row), static_cast<std::int64_t>(n_column)});
  };
  const std::size_t n_weighting = data_.n_weighted() * data_.n_synergy;
  std::vector<at::Tensor> rows, tied;
  std::vector<double> tied_share;
  for (std::size_t i = 0; i < trials_.size(); ++i) {
    const Trial& trial = trials_[i];
    const std::size_t n_node = data_.trials[i].n_node;
    const std::size_t set = data_.shared_weightings ? 0 : i;
    const at::Tensor weightings =
        part(problem_.map.n_component() + set * n_weighting, data_.n_weighted(), data_.n_synergy);
    const at::Tensor primitives = part(first_[i], data_.n_synergy, n_node);
    const at::Tensor reconstructed = at::matmul(weightings, primitives);
    const at::Tensor made = reconstructed.slice(0, static_cast<std::int64_t>(data_.n_channel));
    rows.push_back(at::matmul(trial.interpolation, made.t()).clamp(0.0, 1.0));

    const double per_node = per_trial / static_cast<double>(n_node);
    const double n_made = static_cast<double>(data_.synthesised.size());
    add(terms::Node::recorded,
        reconstructed.slice(0, 0, static_cast<std::int64_t>(data_.n_channel)), trial.recorded,
        per_node / static_cast<double>(data_.n_channel));
    add(terms::Node::synthesised, made, made, per_node / n_made);
    tied.push_back(made.index_select(0, tied_));
    tied_share.push_back(per_node /
                         static_cast<double>(std::max<std::size_t>(data_.tied.size(), 1)));
    add(terms::Node::change, made.slice(1, 0, -1), made.slice(1, 1),
        per_trial / (trial.interval * trial.interval.sum()) / n_made);
    add(terms::Node::factor, made, made, per_node);
    add(terms::Node::factor, primitives, primitives, per_node);
    add(terms::Node::factor, weightings, weightings, per_trial);
  }
  // The factor on every pattern that comes nearest in all trials together.
  at::Tensor both = at::zeros({tied_.size(0)}, x.options()), own = both;
  for (std::size_t i = 0; i < trials_.size(); ++i) {
    both = both + (tied[i] * trials_[i].expected).mean(1);
    own = own + trials_[i].expected.square().mean(1);
  }
  const at::Tensor scale =
      at::where(own > 0.0, both / at::where(own > 0.0, own, 1.0), 1.0).unsqueeze(1);
  const double counts = std::sqrt(std::get<terms::Tie>(data_.objective.list).amplitude);
  for (std::size_t i = 0; i < trials_.size(); ++i) {
    add(terms::Node::tied, tied[i], scale * trials_[i].expected, tied_share[i]);
    add(terms::Node::tied, counts * scale * trials_[i].expected, counts * trials_[i].expected,
        tied_share[i]);
  }
  Evaluation result =
      problem_.evaluate(x.narrow(0, 0, problem_.n_component()),
                        problem_.batch.excitation.index_copy(1, synthesised_, at::stack(rows, 2)));
  terms::for_each(data_.objective, [&](const auto& term, std::size_t place) {
    if (term.counts(problem_.simulation.tendon))
      result.terms.push_back({std::string(term.name), sums[place]});
  });
  return result;
}

}  // namespace ceinms_torch::tensor
