/// @file gradient_search.hpp
/// The excitations of a frame by a Newton method with exact bounds and absolute values.
#pragma once

#include "ceinms_torch/legacy/frame_problem.hpp"
#include "ceinms_torch/legacy/proximal_step.hpp"

#include <cstddef>
#include <vector>

namespace ceinms_torch::legacy {

/// Searches a frame by the objective's derivatives.
///
/// An MTU's force depends on its own excitation only, so the Hessian of the smooth part is
///
///   2 alpha J^T J + diag(2 beta - 2 alpha sum_d error_d r_di F_i'')
///
/// with J = (r_di F_i'). F' is exact. F'' is one number per MTU and comes from the change of F'
/// over the last step. Each step minimises that model, made convex, with the absolute values and
/// bounds as they are (ProximalStep), damped after Levenberg until the objective falls.
///
/// A frame starts where the one before ended. The problem need not be convex: where an MTU loses
/// its equilibrium on the way, or the descent does not come to an end, CEINMS's start and rest are
/// tried, too, as at the first frame, and the best end is kept.
class GradientSearch final : public FrameSearch {
 public:
  explicit GradientSearch(const FrameProblem& problem);
  std::size_t search(FrameProblem& problem) override;

 private:
  struct Point {
    std::vector<double> x;      ///< (n)
    std::vector<double> slope;  ///< F' (n) [N]
    std::vector<double> error;  ///< measured less predicted (n_dof) [N m]
    double objective = 0.0;
  };

  void begin_frame(const FrameProblem& problem);
  void evaluate(FrameProblem& problem, Point& point);
  void descend(FrameProblem& problem);
  void linearise(const HybridOptions& options);
  void measure_curvature();

  std::size_t n_;
  std::size_t n_dof_;
  std::vector<double> arm_;              ///< moment arms of the frame (n_dof, n) [m]
  std::vector<double> error_of_others_;  ///< measured less the moments of MTUs not searched [N m]
  double effort_of_others_ = 0.0;
  ProximalStep step_;
  Point now_;
  Point next_;
  std::vector<double> curvature_;  ///< F'' (n) [N], kept from frame to frame
  std::vector<double> diagonal_;   ///< (n) of the model, not damped
  std::vector<double> scale_;      ///< (n) of the damping
  std::vector<double> best_;
  std::size_t evaluations_ = 0;
  bool is_doubtful_ = false;
};

}  // namespace ceinms_torch::legacy
