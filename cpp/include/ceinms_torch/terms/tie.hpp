/// @file tie.hpp
/// A preference for synthesised excitations near an expected pattern: w sum_t mean_j mean_i
/// (e_ij - p_ij)^2 over nodes j and the MTUs i that are tied, p being the pattern; once per DOF
/// with `variance`, averaged over trials otherwise.
#pragma once

#include "ceinms_torch/terms/term.hpp"

namespace ceinms_torch::terms {

struct Tie : Weighted {
  static constexpr std::string_view name = "tie";
  static constexpr Node observes = Node::tied;

  double amplitude = 0.0;  ///< a, in 0..1

  void options(const auto& set) {
    set("weight", weight);
    set("amplitude", amplitude);
  }

  template <class T>
  static T residual(const T& excitation, const T& pattern) {
    return excitation - pattern;
  }
};

}  // namespace ceinms_torch::terms
