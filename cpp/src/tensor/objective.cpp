#include "ceinms_torch/tensor/objective.hpp"

#include <ATen/ATen.h>

namespace ceinms_torch::tensor {
namespace {

/// The moments of some DOFs in all trials, as terms::OneMoment has one of them.
struct ManyMoments {
  const at::Tensor& variance;  ///< (n_dof, n_trial)
  const at::Tensor& n_step;    ///< (n_trial)

  /// (n_dof, 1)
  at::Tensor weight(const terms::Power& power) const {
    std::vector<double> weights;
    for (std::int64_t dof = 0; dof < variance.size(0); ++dof)
      weights.push_back(power.weight_at(static_cast<std::size_t>(dof)));
    return at::tensor(weights).to(variance.device()).unsqueeze(1);
  }
};

/// Of (n_step, n_mtu, n_trial), the MTUs that a part of a term acts on.
at::Tensor those_of(const auto& part, const at::Tensor& all) {
  std::vector<std::int64_t> mtus;
  for (std::int64_t mtu = 0; mtu < all.size(1); ++mtu)
    if (part.acts_on(static_cast<std::size_t>(mtu))) mtus.push_back(mtu);
  if (static_cast<std::int64_t>(mtus.size()) == all.size(1)) return all;
  return all.index_select(1, at::tensor(mtus).to(all.device()));
}

/// (n_step, n_mtu, n_trial)
at::Tensor observed(const terms::Observable& what, const Simulation& simulation,
                    const at::Tensor& parameters) {
  at::Tensor result = simulation[what.quantity];
  for (std::size_t i = 0; i < what.n_over; ++i)
    result = result / parameters.select(0, static_cast<std::int64_t>(what.over[i])).unsqueeze(1);
  return result;
}

}  // namespace

at::Tensor Evaluation::objective() const {
  at::Tensor sum = terms.front().value;
  for (std::size_t i = 1; i < terms.size(); ++i) sum = sum + terms[i].value;
  return sum;
}

terms::Balance balance_of(const terms::Objective& objective, const Target& target) {
  return {objective.normalisation, static_cast<double>(target.dofs.numel()),
          static_cast<double>(target.variance.size(1))};
}

Evaluation evaluate(const Simulation& simulation, const at::Tensor& parameters,
                    const kernel::ParameterMap& map, const TrialBatch& batch, const Target& target,
                    const terms::Objective& objective, kernel::TendonModel tendon) {
  // Not a product with zero: the padding of a measured moment may hold anything, also NaN.
  const auto valid = [&](const at::Tensor& x) {
    return at::where(batch.is_valid.unsqueeze(1), x, 0.0);
  };
  const at::Tensor n_valid = batch.is_valid.sum(0, false, at::kDouble);  // (n_trial)
  const auto mean = [&](const at::Tensor& x) { return x.sum(0) / n_valid; };
  const at::Tensor error = valid(target.measured_moment.index_select(1, target.dofs) -
                                 simulation.joint_moment.index_select(1, target.dofs));
  const at::Tensor variance = target.variance.index_select(0, target.dofs);
  const terms::Balance balance = balance_of(objective, target);

  Evaluation result;
  result.rmse = mean(error.detach().square()).sqrt();
  terms::for_each(objective, [&](const auto& term, std::size_t) {
    if (!term.counts(tendon)) return;
    at::Tensor value;
    if constexpr (terms::Observes<decltype(term), terms::ForceSum>) {
      const at::Tensor sum = term.observes == terms::ForceSum::moment_error
                                 ? error
                                 : valid(simulation.mtu_force.sum(1, true) / map.total_force());
      value =
          term.of_mean(mean(term.of_square(sum.square())), ManyMoments{variance, n_valid}, balance)
              .sum();
    } else {
      const at::Tensor all = observed(term.observes, simulation, parameters);
      value = at::zeros({}, all.options());
      terms::for_each_part(term, [&](const auto& part) {
        const at::Tensor square = mean(valid(part.residual(those_of(part, all))).square());
        value = value + (part.weight * balance.per_trial() * square).sum();
      });
    }
    result.terms.push_back({std::string(term.name), value});
  });
  return result;
}

}  // namespace ceinms_torch::tensor
