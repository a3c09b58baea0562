/// @file fibre_velocity.hpp
/// Penalty on fibres outside a range of velocities over the greatest one, as CEINMS after 0.9 has
/// it:
///
///   w sum_t sum_mtu mean_k P(v / (lmo vmax))^p, P being the distance outside the range,
///
/// averaged over trials.
#pragma once

#include "ceinms_torch/terms/term.hpp"

namespace ceinms_torch::terms {

struct FibreVelocity : Penalties {
  static constexpr std::string_view name = "fibre_velocity";
  static constexpr Observable observes = norm_fibre_velocity;
};

}  // namespace ceinms_torch::terms
