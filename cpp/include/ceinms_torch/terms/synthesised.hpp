/// @file synthesised.hpp
/// F^exc of eq. (5), synthesised excitations: w^s sum_t mean_j mean_i e_ij^2 over nodes j and MTUs
/// i that synergies drive; once per DOF with `variance`, averaged over trials otherwise.
#pragma once

#include "ceinms_torch/terms/term.hpp"

namespace ceinms_torch::terms {

struct Synthesised : Weighted {
  static constexpr std::string_view name = "synthesised";
  static constexpr Node observes = Node::synthesised;

  template <class T>
  static T residual(const T& value, const T& /*other*/) {
    return value;
  }
};

}  // namespace ceinms_torch::terms
