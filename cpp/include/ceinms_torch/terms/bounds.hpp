/// @file bounds.hpp
/// Penalty on everything that makes excitations where it is beyond 0..1, eq. (5):
///
///   w sum_t (mean_j (sum_i P(e_ij)^2 + sum_s P(h_sj)^2) + sum P(W_t)^2)
///
/// over synthesised excitations e, primitives h and weightings W; once per DOF with `variance`,
/// averaged over trials otherwise. Weightings are constant over time, so they count once per trial.
#pragma once

#include "ceinms_torch/terms/term.hpp"

namespace ceinms_torch::terms {

struct Bounds : Weighted {
  static constexpr std::string_view name = "bounds";
  static constexpr Node observes = Node::factor;

  template <class T>
  static T residual(const T& value, const T& /*other*/) {
    return distance_outside(value, {0.0, 1.0});
  }
};

}  // namespace ceinms_torch::terms
