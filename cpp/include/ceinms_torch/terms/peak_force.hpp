/// @file peak_force.hpp
/// Preference for a low peak of force (the paper's section V, which has no equation):
///
///   w sum_t P_t^2,  P_t = (mean_k s_k^8)^(1/8),  s = sum of MTU forces / sum of F0 at the start,
///
/// once per DOF with `variance`, averaged over trials otherwise. P is smooth, and nearly the
/// greatest s, whatever the sampling rate.
#pragma once

#include "ceinms_torch/terms/term.hpp"

namespace ceinms_torch::terms {

struct PeakForce : Weighted {
  static constexpr std::string_view name = "peak_force";
  static constexpr ForceSum observes = ForceSum::total;

  static bool is_plain(const Balance& /*balance*/) noexcept { return false; }

  /// s^8.
  template <class T>
  static T of_square(const T& square) {
    return kernel::math::square(kernel::math::square(square));
  }
  /// Without any force there is no derivative; the smallest mean keeps it finite.
  template <class T, class Of>
  T of_mean(const T& mean, const Of& /*of*/, const Balance& balance) const {
    return weight * balance.per_trial() * kernel::math::sqrt(kernel::math::sqrt(T(mean + 1e-300)));
  }
};

}  // namespace ceinms_torch::terms
