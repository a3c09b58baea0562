/// @file tendon_strain.hpp
/// Penalty on tendons outside a range of strains, eq. (4), if they are elastic:
///
///   w sum_t sum_mtu mean_k P(strain)^2, P being the distance outside the range,
///
/// once per DOF with `variance`, averaged over trials otherwise.
#pragma once

#include "ceinms_torch/terms/term.hpp"

namespace ceinms_torch::terms {

struct TendonStrain : Penalty {
  static constexpr std::string_view name = "tendon_strain";
  static constexpr Observable observes = tendon_strain;

  bool counts(kernel::TendonModel tendon) const noexcept {
    return tendon != kernel::TendonModel::stiff && weight > 0.0;
  }
};

}  // namespace ceinms_torch::terms
