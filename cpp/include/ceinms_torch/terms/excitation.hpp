/// @file excitation.hpp
/// F^exc of eq. (5), recorded excitations: w^e sum_t mean_j mean_c (e_cj - r_cj)^2, where synergies
/// reconstruct e of channel c at node j, and r was recorded; once per DOF with `variance`, averaged
/// over trials otherwise.
#pragma once

#include "ceinms_torch/terms/term.hpp"

namespace ceinms_torch::terms {

struct Excitation : Weighted {
  static constexpr std::string_view name = "excitation";
  static constexpr Node observes = Node::recorded;

  template <class T>
  static T residual(const T& reconstructed, const T& recorded) {
    return reconstructed - recorded;
  }
};

}  // namespace ceinms_torch::terms
