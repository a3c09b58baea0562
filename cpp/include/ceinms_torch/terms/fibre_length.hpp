/// @file fibre_length.hpp
/// Penalty on fibres outside a range of lengths, eq. (4), or several of them:
///
///   w sum_t sum_mtu mean_k P(l / lmo)^p, P being the distance outside the range, p = 2 in eq. (4),
///
/// once per DOF with `variance`, averaged over trials otherwise.
#pragma once

#include "ceinms_torch/terms/term.hpp"

namespace ceinms_torch::terms {

struct FibreLength : Penalties {
  static constexpr std::string_view name = "fibre_length";
  static constexpr Observable observes = norm_fibre_length;
};

}  // namespace ceinms_torch::terms
