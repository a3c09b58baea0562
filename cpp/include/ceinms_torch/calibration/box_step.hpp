/// @file box_step.hpp
/// The step of Levenberg-Marquardt: a quadratic function's minimum in a box.
#pragma once

#include "ceinms_torch/engine/simulation.hpp"

#include <cstddef>
#include <vector>

namespace ceinms_torch::calibration {

/// A quadratic model around a point x of the unit box: it falls by -g.p - p.H p / 2.
struct QuadraticModel {
  const double* x;         ///< (n)
  const double* gradient;  ///< g (n)
  const double* matrix;    ///< the upper triangle of H (n, n), on a cache line: see DenseAlgebra
};

/// Minimises g.p + p.(H + diag(damping)).p / 2 with x + p in the box: components that would leave
/// it are fixed at their bound, all at once, and the rest is solved again, until none does.
/// Components that are at a bound and want out stay there.
///
/// What is free at first is factored. With the fixed ones V, p = p0 + A^-1 E_V c, where c makes p_V
/// what it has to be; so only rows of A^-1 E_V are added as long as few are fixed, and A is
/// factored again when they are many.
class BoxStep {
 public:
  BoxStep(const engine::Backend& backend, std::size_t n);

  /// False if the damped matrix is not positive definite.
  bool solve(const QuadraticModel& model, const std::vector<double>& damping);
  const engine::AlignedBuffer& step() const noexcept { return step_; }
  /// By how much the model, without damping, falls along the step.
  double fall(const QuadraticModel& model);

 private:
  bool factor(const QuadraticModel& model, const std::vector<double>& damping);
  void border(std::size_t n_bordered);
  bool move();
  bool fix_outside(const double* x);

  const engine::Backend* backend_;
  const engine::DenseAlgebra* algebra_;
  std::size_t n_;
  std::size_t stride_;
  engine::AlignedBuffer step_;
  engine::AlignedBuffer product_;  ///< of H and some components of the step
  std::vector<char> is_free_;
  std::vector<std::size_t> factored_;  ///< components that the factor is of
  std::vector<std::size_t> fixed_;     ///< those of them, by place, that are fixed since
  engine::AlignedBuffer factor_;       ///< U of A = U^T U, in rows of stride_
  engine::AlignedBuffer border_;       ///< U^-T (-g), then U^-T e_i of the fixed, in rows
  engine::AlignedBuffer solution_;
  engine::AlignedBuffer products_;  ///< of the border's rows
  engine::AlignedBuffer force_;     ///< c, of the fixed
};

}  // namespace ceinms_torch::calibration
