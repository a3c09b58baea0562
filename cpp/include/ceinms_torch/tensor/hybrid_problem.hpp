/// @file hybrid_problem.hpp
/// The synergy-hybrid calibration, eq. (5), on tensors: the reference for
/// calibration/hybrid_problem.hpp.
#pragma once

#include "ceinms_torch/tensor/problem.hpp"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace ceinms_torch::tensor {

/// A calibration step whose unrecorded excitations are sums of synergies.
///
/// A point holds the parameters' place in the unit box, then the weightings
/// (n_set, n_channel + n_synthesised, n_synergy), n_set being 1 or the number of trials, then the
/// primitives (n_synergy, n_node) of every trial.
struct HybridProblem {
  Problem problem;
  std::int64_t n_synergy;
  at::Tensor synthesised;                 ///< (n_synthesised) int64, MTUs that synergies drive
  std::vector<at::Tensor> recorded;       ///< per trial, (n_channel, n_node)
  std::vector<at::Tensor> interpolation;  ///< per trial, (n_row, n_node): from nodes to rows
  std::vector<at::Tensor> interval;       ///< per trial, (n_node - 1): between nodes [s], > 0
  bool shared_weightings;
  bool exact_bounds;
  kernel::HybridOptions options;

  std::int64_t n_trial() const { return static_cast<std::int64_t>(recorded.size()); }
  std::int64_t n_weighted() const { return recorded.front().size(0) + synthesised.numel(); }
  std::int64_t first_primitive() const;
  std::int64_t n_component() const;
  std::int64_t n_boxed() const { return exact_bounds ? n_component() : problem.n_component(); }
  /// Throws c10::ValueError or c10::TypeError if the parts do not fit together.
  void check() const;
  void check_point(const at::Tensor& x) const;
  /// The terms of the problem, then "excitation", "synthesised", "bounds" and, if it has a weight,
  /// "smoothness".
  Evaluation evaluate(const at::Tensor& x) const;
};

}  // namespace ceinms_torch::tensor
