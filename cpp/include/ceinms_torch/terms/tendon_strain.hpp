/// @file tendon_strain.hpp
/// Penalty on tendons outside a range of strains, eq. (4), if they are elastic, or several of them:
///
///   w sum_t sum_mtu mean_k P(strain)^p, P being the distance outside the range, p = 2 in eq. (4),
///
/// once per DOF with `variance`, averaged over trials otherwise.
#pragma once

#include "ceinms_torch/terms/term.hpp"

namespace ceinms_torch::terms {

struct TendonStrain : Penalties {
  static constexpr std::string_view name = "tendon_strain";
  static constexpr Observable observes = tendon_strain;

  bool counts(kernel::TendonModel tendon) const noexcept {
    return tendon != kernel::TendonModel::stiff && Penalties::counts(tendon);
  }
};

}  // namespace ceinms_torch::terms
