/// @file fibre_length.hpp
/// Penalty on fibres outside a range of lengths, eq. (4):
///
///   w sum_t sum_mtu mean_k P(l / lmo)^2, P being the distance outside the range,
///
/// once per DOF with `variance`, averaged over trials otherwise.
#pragma once

#include "ceinms_torch/terms/term.hpp"

namespace ceinms_torch::terms {

struct FibreLength : Penalty {
  static constexpr std::string_view name = "fibre_length";
  static constexpr Observable observes = norm_fibre_length;
};

}  // namespace ceinms_torch::terms
