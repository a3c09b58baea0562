/// @file smoothness.hpp
/// Preference for smooth synthesised excitations (the paper's section V, which has no equation):
///
///   w sum_t mean_i mean over time of (de_i/dt)^2 [s^2],
///
/// e being linear between nodes; once per DOF with `variance`, averaged over trials otherwise.
#pragma once

#include "ceinms_torch/terms/term.hpp"

namespace ceinms_torch::terms {

struct Smoothness : Weighted {
  static constexpr std::string_view name = "smoothness";
  static constexpr Node observes = Node::change;

  template <class T>
  static T residual(const T& value, const T& next) {
    return next - value;
  }
};

}  // namespace ceinms_torch::terms
