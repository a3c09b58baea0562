/// @file problem.hpp
/// A calibration step as an optimiser of this layer sees it: a point of the unit box in, and the
/// objective, its gradient, or its linearised residuals out.
#pragma once

#include "ceinms_torch/fused/simulation.hpp"
#include "ceinms_torch/kernel/objective.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace ceinms_torch::fused {

/// From a point of the unit box to the parameters of every MTU: component i is mapped to
/// lower[i] + x[i] (upper[i] - lower[i]) and written to every slot that names it.
struct ParameterMap {
  std::vector<double> start;           ///< (n_parameter_kind, n_mtu)
  std::vector<double> lower;           ///< (n)
  std::vector<double> upper;           ///< (n), >= lower
  std::vector<std::size_t> slot;       ///< index into `start`, unique
  std::vector<std::size_t> component;  ///< which component each slot takes

  std::size_t n_component() const noexcept { return lower.size(); }
};

/// Measured moments of one trial, (n_step, n_dof) row-major [N m].
struct MeasuredMoments {
  std::vector<double> moment;
  std::vector<double> variance;  ///< (n_dof) sample variance [N^2 m^2]
};

/// What a calibration step minimises and may change.
struct ProblemData {
  ParameterMap map;
  std::vector<MeasuredMoments> measured;  ///< per trial
  std::vector<std::size_t> dofs;          ///< indices of the DOFs that count
  kernel::ObjectiveOptions objective;
  kernel::SimulationOptions simulation;
};

/// The objective at one point.
struct Evaluation {
  double objective = 0.0;
  std::vector<double> terms;  ///< in the order of Problem::term_names
  std::vector<double> rmse;   ///< of each DOF that counts, averaged over trials [N m]
};

/// See the file's comment. Not safe for use by several threads; copies of the data are cheap to
/// make into further problems (`clone`).
class Problem {
 public:
  Problem(const Backend& backend, const std::vector<kernel::TrialInput>& trials,
          std::shared_ptr<const CurveTables> curves, ProblemData data, std::size_t n_thread);

  std::size_t n_component() const noexcept { return data_->map.n_component(); }
  std::vector<std::string> term_names() const;

  /// Objective at x (n).
  const Evaluation& evaluate(const double* x);
  /// Objective and its gradient (n).
  const Evaluation& gradient(const double* x, double* gradient);
  /// Objective, gradient (n) and Gauss-Newton matrix (n, n), symmetric: twice the sum over all
  /// residuals of the products of their derivatives.
  const Evaluation& normal_equations(const double* x, double* gradient, double* matrix);
  /// Residuals, whose squares sum to the objective, and their derivatives: resized to (n_row) and
  /// (n_row, n). Penalties have a row only where they are not zero.
  void residuals(const double* x, std::vector<double>& residual, std::vector<double>& jacobian);

 private:
  /// One DOF of one trial.
  struct Joint {
    std::size_t trial;
    std::size_t dof;                      ///< place among the DOFs that count
    double weight;                        ///< kernel::moment_weight
    std::vector<std::size_t> mtus;        ///< whose moment arm is not zero throughout
    std::vector<double> moment_arm;       ///< (n_mtus, n_step)
    std::vector<double> measured;         ///< (n_step)
    std::vector<std::size_t> components;  ///< that act on one of the MTUs
    std::vector<double> error;            ///< measured - predicted (n_step)
    double square_sum = 0.0;
  };
  /// One of an MTU's parameters that a component sets.
  struct OwnParameter {
    std::size_t kind;
    std::size_t component;
  };

  void add_joints(const std::vector<kernel::TrialInput>& trials);
  void set_parameters(const double* x);
  void measure();
  double moment_term(const Joint& joint) const;
  double error_weight(const Joint& joint) const;
  template <class Visit>
  void visit_penalties(std::size_t block, const Visit& visit) const;
  double force_derivative(const Lane& lane, std::size_t kind, std::size_t step) const;
  void fill_rows(const Joint& joint, double scale, std::size_t stride, double* rows) const;
  void add_joint_equations(std::size_t joint, double* gradient, double* matrix);
  void add_penalty_equations(std::size_t block, double* gradient, double* matrix);
  template <class Row>
  void penalty_rows(std::size_t block, const Row& row) const;

  std::shared_ptr<const ProblemData> data_;
  Workspace workspace_;
  kernel::ObjectiveSizes sizes_;
  std::vector<std::vector<OwnParameter>> own_;  ///< by MTU
  std::vector<kernel::ParameterKind> kinds_;    ///< that shape trajectories and are calibrated
  std::vector<std::size_t> column_of_;          ///< by kind: its place in kinds_, or none
  std::vector<double> width_;                   ///< upper - lower
  std::vector<Joint> joints_;
  std::vector<double> parameters_;
  std::vector<double> matrix_gradient_;  ///< (n_parameter_kind, n_mtu)
  std::vector<AlignedBuffer> rows_;      ///< per joint
  std::vector<std::vector<double>> gram_;
  std::vector<double>
      by_optimal_length_;  ///< (n_mtu) derivatives by lmo that bypass the simulation
  Evaluation evaluation_;
};

}  // namespace ceinms_torch::fused
