/// @file problem.hpp
/// A calibration as an optimiser sees it: a vector in the unit box and its objective.
#pragma once

#include "ceinms_torch/calibration/linear_terms.hpp"
#include "ceinms_torch/kernel/parameter_map.hpp"
#include "ceinms_torch/tensor/engine.hpp"
#include "ceinms_torch/tensor/objective.hpp"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ceinms_torch::tensor {

/// Everything that stays the same while an optimiser looks for x.
struct Problem {
  Curves curves;
  TrialBatch batch;
  Target target;
  kernel::ParameterMap map;
  terms::Objective objective;
  kernel::SimulationOptions simulation;
  std::vector<calibration::LinearTerm> linear_terms;
  Stepping stepping = Stepping::automatic;

  std::int64_t n_component() const { return static_cast<std::int64_t>(map.n_component()); }
  std::int64_t n_boxed() const { return n_component(); }  ///< all stay in the unit box
  /// Throws c10::ValueError or c10::TypeError if the parts do not fit together.
  void check() const;
  /// The same for a point x (n) in [0, 1].
  void check_point(const at::Tensor& x) const;
  std::vector<std::string> term_names() const;
  /// The parameters (n_parameter_kind, n_mtu) at x: the map's values, with their derivatives.
  at::Tensor parameters(const at::Tensor& x) const;
  Evaluation evaluate(const at::Tensor& x) const { return evaluate(x, batch.excitation); }
  /// The same with other excitations (n_row, n_mtu, n_trial).
  Evaluation evaluate(const at::Tensor& x, const at::Tensor& excitation) const;
  /// The objective of a simulation with the parameters of x, whichever engine made it.
  Evaluation measure(const at::Tensor& x, const Simulation& result) const;
};

}  // namespace ceinms_torch::tensor
