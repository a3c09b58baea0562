/// @file synergy_problem.hpp
/// The synergy-hybrid calibration, eq. (5), on tensors: the reference for
/// calibration/synergy_problem.hpp.
#pragma once

#include "ceinms_torch/calibration/synergy_problem.hpp"
#include "ceinms_torch/tensor/problem.hpp"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ceinms_torch::tensor {

/// A calibration step whose unrecorded excitations are sums of synergies; a point is that of
/// calibration::SynergyProblem.
class SynergyProblem {
 public:
  /// Throws c10::ValueError if the parts do not fit together.
  SynergyProblem(Problem problem, calibration::SynergyData data);

  std::int64_t n_component() const { return static_cast<std::int64_t>(first_.back()); }
  std::int64_t n_boxed() const {
    return data_.exact_bounds ? n_component() : problem_.n_component();
  }
  void check_point(const at::Tensor& x) const;
  /// Those of the problem, then those of terms::SynergyObjective.
  std::vector<std::string> term_names() const;
  Evaluation evaluate(const at::Tensor& x) const;

 private:
  struct Trial {
    at::Tensor recorded;       ///< (n_channel, n_node)
    at::Tensor expected;       ///< (n_tied, n_node)
    at::Tensor interpolation;  ///< (n_row, n_node): from nodes to rows
    at::Tensor interval;       ///< (n_node - 1): between nodes [s]
  };

  Problem problem_;
  calibration::SynergyData data_;
  at::Tensor synthesised_;  ///< (n_synthesised) int64, MTUs that synergies drive
  at::Tensor tied_;         ///< (n_tied) int64, by their place among these
  std::vector<Trial> trials_;
  std::vector<std::size_t> first_;  ///< SynergyData::first_primitives
};

}  // namespace ceinms_torch::tensor
