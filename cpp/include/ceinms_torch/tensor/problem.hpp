/// @file problem.hpp
/// A calibration as an optimiser sees it: a vector in the unit box and its objective.
#pragma once

#include "ceinms_torch/tensor/engine.hpp"
#include "ceinms_torch/tensor/objective.hpp"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ceinms_torch::tensor {

/// From a point of the unit box to the parameters of every MTU.
///
/// Component i is mapped to lower[i] + x[i] (upper[i] - lower[i]) and written to every slot of
/// the parameter matrix that names i; slots that nothing names keep their start value.
struct ParameterMap {
  at::Tensor start;      ///< (n_parameter_kind, n_mtu)
  at::Tensor lower;      ///< (n)
  at::Tensor upper;      ///< (n), >= lower
  at::Tensor slot;       ///< (n_slot) int64 index into the flattened matrix, unique
  at::Tensor component;  ///< (n_slot) int64 which component of x the slot takes

  at::Tensor parameters(const at::Tensor& x) const;
};

/// |matrix x - offset|^2, on points of the unit box; see calibration/linear_terms.hpp.
struct LinearTerm {
  std::string name;
  at::Tensor matrix;  ///< (n_row, n)
  at::Tensor offset;  ///< (n_row)
};

/// Everything that stays the same while an optimiser looks for x.
struct Problem {
  Curves curves;
  TrialBatch batch;
  Target target;
  ParameterMap map;
  kernel::ObjectiveOptions objective;
  kernel::SimulationOptions simulation;
  std::vector<LinearTerm> linear_terms;

  std::int64_t n_component() const { return map.lower.numel(); }
  std::int64_t n_boxed() const { return n_component(); }  ///< all stay in the unit box
  /// Throws c10::ValueError or c10::TypeError if the parts do not fit together.
  void check() const;
  /// The same for a point x (n) in [0, 1].
  void check_point(const at::Tensor& x) const;
  Evaluation evaluate(const at::Tensor& x) const { return evaluate(x, batch.excitation); }
  /// The same with other excitations (n_row, n_mtu, n_trial).
  Evaluation evaluate(const at::Tensor& x, const at::Tensor& excitation) const;
  /// The objective of a simulation with the parameters of x, whichever engine made it.
  Evaluation measure(const at::Tensor& x, const Simulation& result) const;
};

}  // namespace ceinms_torch::tensor
