#include "ceinms_torch/calibration/problem.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace ceinms_torch::calibration {
namespace {

using kernel::ParameterKind;
using kernel::Quantity;

constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

}  // namespace

Problem::Problem(const engine::Backend& backend, const std::vector<kernel::TrialInput>& trials,
                 std::shared_ptr<const engine::CurveTables> curves, ProblemData data,
                 std::size_t n_thread)
    : data_(std::make_shared<const ProblemData>(std::move(data))),
      workspace_(engine::LaneLayout(backend, trials), std::move(curves), data_->simulation, 1),
      balance_{data_->objective.normalisation, static_cast<double>(data_->dofs.size()),
               static_cast<double>(trials.size())},
      own_(workspace_.layout().n_mtu()),
      column_of_(kernel::n_parameter_kind, none),
      values_(data_->map.n_component()),
      actions_(trials.size() * workspace_.layout().n_mtu()),
      parameters_(data_->map.start),
      matrix_gradient_(data_->map.start.size()),
      blocks_(workspace_.layout().n_block()),
      linear_(data_->linear_terms, data_->map.n_component()) {
  const kernel::ParameterMap& map = data_->map;
  const std::size_t n_mtu = workspace_.layout().n_mtu();
  for (std::size_t i = 0; i < map.slot.size(); ++i) {
    const auto kind = static_cast<ParameterKind>(map.slot[i] / n_mtu);
    own_[map.slot[i] % n_mtu].push_back({kind, map.component[i]});
    std::size_t& column = column_of_[static_cast<std::size_t>(kind)];
    if (only_scales(kind) || column != none) continue;
    column = kinds_.size();
    kinds_.push_back(kind);
  }
  groups_.resize(data_->dofs.size() + 1);
  quantities_.push_back(Quantity::mtu_force);
  terms::for_each(data_->objective, [&](const auto& term, std::size_t place) {
    if (!term.counts(tendon())) return;
    if constexpr (terms::Observes<decltype(term), terms::ForceSum>) {
      add_sums(term.observes, place, trials);
      for (const kernel::TrialInput& trial : trials)
        is_weighed_first_ |= !term.is_plain(balance_) && trial.n_step > workspace_.window();
    } else if (std::ranges::find(quantities_, term.observes.quantity) == quantities_.end()) {
      quantities_.push_back(term.observes.quantity);
    }
  });
  for (SummedForces& sum : sums_) weigh(sum);
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    std::vector<std::size_t>& components = groups_[group].components;
    std::sort(components.begin(), components.end());
    components.erase(std::unique(components.begin(), components.end()), components.end());
    constexpr std::size_t height = 16 * engine::gram_tile;
    for (std::size_t first = 0; first <= components.size(); first += height)
      bands_.push_back({group, first, std::min(first + height, components.size() + 1)});
  }
  evaluation_.rmse.resize(data_->dofs.size());
  n_task_ = std::max({blocks_.size(), sums_.size(), bands_.size()});
  workspace_.start_threads(std::min(n_thread, n_task_));
}

/// What a term observes: moments of the DOFs that count, or all forces, of every trial.
void Problem::add_sums(terms::ForceSum observed, std::size_t term,
                       const std::vector<kernel::TrialInput>& trials) {
  const bool is_moment = observed == terms::ForceSum::moment_error;
  const double total_force = data_->map.total_force();
  for (std::size_t t = 0; t < trials.size(); ++t) {
    const kernel::TrialInput& trial = trials[t];
    for (std::size_t d = 0; d < (is_moment ? data_->dofs.size() : 1); ++d) {
      SummedForces sum{.term = term,
                       .group = is_moment ? d : data_->dofs.size(),
                       .trial = t,
                       .variance = 1.0,
                       .measured = std::vector<double>(trial.n_step),
                       .error = std::vector<double>(trial.n_step),
                       .weight = std::vector<double>(trial.n_step),
                       .by_error = std::vector<double>(trial.n_step),
                       .scale = std::vector<double>(trial.n_step),
                       .scaled_arm = std::vector<double>(trial.n_step),
                       .mtus = {},
                       .arm = {}};
      const std::size_t dof = is_moment ? data_->dofs[d] : 0;
      if (is_moment) {
        sum.variance = data_->measured[t].variance[dof];
        for (std::size_t k = 0; k < trial.n_step; ++k)
          sum.measured[k] = data_->measured[t].moment[k * trial.n_dof + dof];
      }
      Group& group = groups_[sum.group];
      for (std::size_t mtu = 0; mtu < trial.n_mtu; ++mtu) {
        const auto arm = [&](std::size_t k) {
          return is_moment ? trial.moment_arm[(k * trial.n_dof + dof) * trial.n_mtu + mtu]
                           : 1.0 / total_force;
        };
        bool acts = false;
        for (std::size_t k = 0; k < trial.n_step; ++k) acts |= arm(k) != 0.0;
        if (!acts) continue;
        actions_[t * trial.n_mtu + mtu].push_back({sums_.size(), sum.mtus.size()});
        sum.mtus.push_back(mtu);
        for (std::size_t k = 0; k < trial.n_step; ++k) sum.arm.push_back(arm(k));
        for (const OwnParameter& own : own_[mtu]) group.components.push_back(own.component);
      }
      group.sums.push_back(sums_.size());
      sums_.push_back(std::move(sum));
    }
  }
}

std::vector<std::string> Problem::term_names() const {
  std::vector<std::string> names = terms::names_of(data_->objective, tendon());
  for (const LinearTerm& term : linear_.terms()) names.push_back(term.name);
  return names;
}

void Problem::set_point(const double* x) {
  const kernel::ParameterMap& map = data_->map;
  const std::size_t n_mtu = workspace_.layout().n_mtu();
  map.values(x, values_.data());
  map.place(values_.data(), parameters_.data());
  // The derivative by a scale is the force over it, which a scale of exactly zero would lose.
  for (const std::size_t slot : map.slot)
    if (parameters_[slot] == 0.0 && only_scales(static_cast<ParameterKind>(slot / n_mtu)))
      parameters_[slot] = 1e-100;
  linear_.measure(x);
}

/// The errors of a sum at some steps after a forward pass through them.
void Problem::measure(SummedForces& sum, const kernel::StepRange& steps) const {
  const engine::LaneLayout& layout = workspace_.layout();
  const std::size_t width = layout.backend().width;
  const std::size_t n_step = sum.error.size();
  for (std::size_t k = steps.first; k < steps.end; ++k) sum.error[k] = sum.measured[k];
  for (std::size_t m = 0; m < sum.mtus.size(); ++m) {
    const engine::Lane& lane = layout.lane(sum.trial, sum.mtus[m]);
    const double* force = workspace_.trace(lane.block).mtu_force + lane.place;
    const double* arm = sum.arm.data() + m * n_step;
    for (std::size_t k = steps.first; k < steps.end; ++k) sum.error[k] -= arm[k] * force[k * width];
  }
}

/// What a sum adds to its term, and the weights of its errors, once all are measured.
void Problem::weigh(SummedForces& sum) const {
  using Number = kernel::Dual<double, 1>;
  const double n_step = static_cast<double>(sum.error.size());
  const auto weigh_by = [&](const auto& term) {
    double mean = 0.0;
    sum.mean_square = 0.0;
    for (const double error : sum.error) {
      sum.mean_square += error * error;
      mean += term.of_square(error * error);
    }
    sum.mean_square /= n_step;
    const Number value = term.of_mean(Number::variable(mean / n_step, 1.0, 0),
                                      terms::OneMoment{sum.variance, sum.group, n_step}, balance_);
    sum.value = value.value;
    for (std::size_t k = 0; k < sum.error.size(); ++k) {
      const Number square = Number::variable(sum.error[k] * sum.error[k], 1.0, 0);
      sum.weight[k] = value.partial[0] * term.of_square(square).partial[0] / n_step;
      sum.by_error[k] = 2.0 * sum.weight[k] * sum.error[k];
    }
  };
  terms::for_each(data_->objective, [&](const auto& term, std::size_t place) {
    if constexpr (terms::Observes<decltype(term), terms::ForceSum>)
      if (place == sum.term) weigh_by(term);
  });
}

/// Terms of a block's trajectories at some steps, step 0 first, after a forward pass through them.
void Problem::add_up(std::size_t block, const kernel::StepRange& steps) {
  Values& values = blocks_[block].values;
  if (steps.first == 0) values.fill(0.0);
  visit_residuals(block, steps, [&](const Residual& residual) {
    values[residual.term] += residual.weight * residual.value * residual.value;
  });
}

/// The evaluation from what sums and blocks have measured, always in the same order: results do not
/// depend on threads.
void Problem::sum_up() {
  Values values{};
  std::fill(evaluation_.rmse.begin(), evaluation_.rmse.end(), 0.0);
  for (const SummedForces& sum : sums_) {
    values[sum.term] += sum.value;
    if (sum.term == 0)  // terms::Moment
      evaluation_.rmse[sum.group] += std::sqrt(sum.mean_square) / balance_.n_trial;
  }
  for (const BlockTerms& block : blocks_)
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += block.values[i];
  evaluation_.terms.clear();
  terms::append_values(data_->objective, tendon(), values, evaluation_.terms);
  for (std::size_t i = 0; i < linear_.terms().size(); ++i)
    evaluation_.terms.push_back(linear_.square_sum(i));
  evaluation_.objective = std::accumulate(evaluation_.terms.begin(), evaluation_.terms.end(), 0.0);
}

const Evaluation& Problem::evaluate(const double* x) {
  set_point(x);
  workspace_.forward(parameters_.data(), [&](std::size_t block) { add_up(block, all_steps); });
  workspace_.pool().run(sums_.size(), [&](std::size_t i, std::size_t) {
    measure(sums_[i], within(sums_[i], all_steps));
    weigh(sums_[i]);
  });
  sum_up();
  return evaluation_;
}

/// Derivatives of the objective by what a block's simulation gave out, and those that it does not
/// pass on.
void Problem::fill_seeds(std::size_t block) {
  const engine::LaneLayout& layout = workspace_.layout();
  const std::size_t width = layout.backend().width;
  workspace_.clear_seeds(block);
  for (const engine::Lane& lane : layout.lanes_of(block)) {
    for (const Action& action : actions_[lane.trial * layout.n_mtu() + lane.mtu]) {
      const SummedForces& sum = sums_[action.sum];
      const std::size_t n_step = sum.error.size();
      const double* arm = sum.arm.data() + action.mtu * n_step;
      double* seed = workspace_.seed(block, Quantity::mtu_force) + lane.place;
      for (std::size_t k = 0; k < n_step; ++k) seed[k * width] -= sum.by_error[k] * arm[k];
    }
  }
  std::vector<double>& direct = blocks_[block].direct;
  direct.assign(kernel::n_parameter_kind * width, 0.0);
  if (blocks_[block].values == Values{}) return;
  kernel::PerQuantity<double*> seeds;
  visit_residuals(block, all_steps, [&](const Residual& residual) {
    const terms::Observable& observes = residual.observes;
    const std::size_t place = residual.lane.place;
    const double by_x = 2.0 * residual.weight * residual.value * residual.slope;
    double*& seed = seeds[observes.quantity];
    if (seed == nullptr) seed = workspace_.seed(block, observes.quantity);
    seed[residual.step * width + place] += by_x * residual.per_unit;
    for (std::size_t i = 0; i < observes.n_over; ++i)
      direct[static_cast<std::size_t>(observes.over[i]) * width + place] -=
          by_x * residual.x / parameter(observes.over[i], residual.lane.mtu);
  });
}

const Evaluation& Problem::gradient(const double* x, double* gradient) {
  evaluate(x);
  workspace_.reverse(matrix_gradient_.data(), [&](std::size_t block) { fill_seeds(block); });
  const engine::LaneLayout& layout = workspace_.layout();
  for (std::size_t block = 0; block < layout.n_block(); ++block)
    for (const engine::Lane& lane : layout.lanes_of(block))
      for (std::size_t kind = 0; kind < kernel::n_parameter_kind; ++kind)
        matrix_gradient_[kind * layout.n_mtu() + lane.mtu] +=
            blocks_[block].direct[kind * layout.backend().width + lane.place];
  std::fill(gradient, gradient + n_component(), 0.0);
  const kernel::ParameterMap& map = data_->map;
  for (std::size_t i = 0; i < map.slot.size(); ++i)
    gradient[map.component[i]] += matrix_gradient_[map.slot[i]] * map.width(map.component[i]);
  linear_.add_gradient(gradient);
  return evaluation_;
}

}  // namespace ceinms_torch::calibration
