/// @file problem.hpp
/// A calibration step as an optimiser of this layer sees it: a point of the unit box in, and the
/// objective, its gradient, or its linearised residuals out.
#pragma once

#include "ceinms_torch/calibration/linear_terms.hpp"
#include "ceinms_torch/calibration/smooth_problem.hpp"
#include "ceinms_torch/engine/simulation.hpp"
#include "ceinms_torch/kernel/dual.hpp"
#include "ceinms_torch/kernel/objective.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace ceinms_torch::calibration {

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
  std::vector<LinearTerm> linear_terms = {};  ///< on points of the unit box
};

/// See the file's comment. Not safe for use by several threads.
///
/// Blocks of lanes and joints are worked on by several threads, each with sums of its own; these
/// are added in a fixed order, so that no result depends on the number of threads.
class Problem final : public SmoothProblem {
 public:
  Problem(const engine::Backend& backend, const std::vector<kernel::TrialInput>& trials,
          std::shared_ptr<const engine::CurveTables> curves, ProblemData data,
          std::size_t n_thread);

  std::size_t n_component() const noexcept override { return data_->map.n_component(); }
  std::vector<std::string> term_names() const override;
  const engine::LaneLayout& layout() const noexcept { return workspace_.layout(); }
  const kernel::ObjectiveSizes& sizes() const noexcept { return sizes_; }
  kernel::Normalisation normalisation() const noexcept { return data_->objective.normalisation; }

  /// Objective at x (n).
  const Evaluation& evaluate(const double* x);
  const Evaluation& gradient(const double* x, double* gradient) override;
  /// Objective, gradient (n) and the upper triangle of the Gauss-Newton matrix (n, n): twice the
  /// sum over all residuals of the products of their derivatives.
  const Evaluation& normal_equations(const double* x, double* gradient, double* matrix);
  /// Residuals, whose squares sum to the objective, and their derivatives: resized to (n_row) and
  /// (n_row, n): moments, peak forces, penalties where they are not zero, linear terms.
  void residuals(const double* x, std::vector<double>& residual, std::vector<double>& jacobian);

  /// Replace the excitation of one MTU in one trial, (n_row), from the next evaluation on.
  void load_excitation(std::size_t trial, std::size_t mtu, const double* rows) {
    workspace_.load_excitation(trial, mtu, rows, 1);
  }
  /// After `gradient`: add the derivatives of the objective by those rows to by_row (n_row).
  void add_excitation_gradient(std::size_t trial, std::size_t mtu, double* by_row) const {
    const engine::Lane& lane = workspace_.layout().lane(trial, mtu);
    workspace_.layout().add_to_rows(lane, workspace_.by_sample(lane.block), by_row, 1);
  }

 private:
  /// One DOF of one trial; or the summed force of a trial, as if all MTUs acted on one more DOF.
  struct Joint {
    std::size_t trial;
    std::size_t dof;                 ///< place among the DOFs that count, or `no_dof`
    double weight;                   ///< of the squared errors: kernel::moment_weight
    std::vector<std::size_t> mtus;   ///< whose moment arm is not zero throughout
    std::vector<double> moment_arm;  ///< (n_mtus, n_step); of a summed force see `measure_peak`
    std::vector<double> measured;    ///< (n_step)
    std::vector<double> error;       ///< measured - predicted (n_step)
    double square_sum = 0.0;
    double scale = 0.0;      ///< of the errors as residuals
    std::size_t column = 0;  ///< where its steps are in the DOF's rows
  };
  /// What the joints of one DOF, or the summed forces, have in common in all trials.
  struct DofEquations {
    std::vector<std::size_t> joints;
    std::vector<std::size_t> components;  ///< that act on one of the MTUs
    /// Derivatives of the residuals by the components, and the residuals: (components + 1, stride),
    /// the steps of a window of all joints, `length` in whole packs.
    engine::AlignedBuffer rows;
    std::size_t stride = 0;
    std::size_t length = 0;
    std::vector<double> gram;  ///< products of the rows: (components + 1, components + 1), upper
  };
  /// Some rows of a DOF's products: what one thread computes at a time.
  struct Band {
    std::size_t dof;
    std::size_t first;
    std::size_t end;
  };
  /// Where a lane acts: on the MTU number `mtu` of a joint.
  struct Action {
    std::size_t joint;
    std::size_t mtu;
  };
  /// One of an MTU's parameters that a component sets.
  struct OwnParameter {
    kernel::ParameterKind kind;
    std::size_t component;
  };
  enum class Term { fibre_length, tendon_strain };
  /// Penalties of a block's lanes.
  struct BlockPenalties {
    double fibre_length = 0.0;
    double tendon_strain = 0.0;
    std::vector<double> by_optimal_length;  ///< (width) derivative that bypasses the simulation
    std::vector<double> gradient;           ///< (lanes, n_parameter_kind) by own parameters
    std::vector<double> matrix;             ///< (lanes, n_parameter_kind, n_parameter_kind)
  };

  static constexpr std::size_t no_dof = static_cast<std::size_t>(-1);
  static constexpr kernel::StepRange all_steps{0, static_cast<std::size_t>(-1)};

  void add_joints(const std::vector<kernel::TrialInput>& trials);
  void add_peaks(const std::vector<kernel::TrialInput>& trials);
  void let_act(std::size_t mtu, Joint& joint);
  void add(Joint joint);
  void set_point(const double* x);
  void measure(Joint& joint, const kernel::StepRange& steps) const;
  void measure_peak(Joint& joint) const;
  void sum_up();
  bool has_peaks() const noexcept { return data_->objective.peak_force_weight > 0.0; }
  double joint_term(const Joint& joint) const;
  double error_weight(const Joint& joint) const;
  double parameter(kernel::ParameterKind kind, std::size_t mtu) const {
    return parameters_[static_cast<std::size_t>(kind) * workspace_.layout().n_mtu() + mtu];
  }
  /// Place of a kind among those that sensitivities are computed of.
  std::size_t column_of(kernel::ParameterKind kind) const {
    return column_of_[static_cast<std::size_t>(kind)];
  }
  DofEquations& equations_of(const Joint& joint) {
    return equations_[joint.dof == no_dof ? data_->dofs.size() : joint.dof];
  }
  template <class Visit>
  void visit_penalties(std::size_t block, const Visit& visit,
                       const kernel::StepRange& steps = all_steps) const;
  void add_up_penalties(std::size_t block, const kernel::StepRange& steps);
  void fill_seeds(std::size_t block);
  /// Those of some steps that a joint's trial has.
  static kernel::StepRange within(const Joint& joint, const kernel::StepRange& steps) noexcept {
    return {std::min(steps.first, joint.error.size()), std::min(steps.end, joint.error.size())};
  }
  void linearise(const double* x, const engine::Workspace::WindowBlockWork& after_block,
                 const engine::Workspace::WindowWork& after);
  void place_rows(const kernel::StepRange& steps);
  void fill_rows(const Joint& joint, const kernel::StepRange& steps);
  void add_products(const Band& band, const kernel::StepRange& steps);
  void add_penalty_products(std::size_t block, const kernel::StepRange& steps);
  void add_dof_equations(const DofEquations& dof, double* gradient, double* matrix) const;
  void add_penalty_equations(std::size_t block, double* gradient, double* matrix) const;
  template <class Row>
  void penalty_rows(std::size_t block, const kernel::StepRange& steps, const Row& row) const;

  std::shared_ptr<const ProblemData> data_;
  engine::Workspace workspace_;
  kernel::ObjectiveSizes sizes_;
  std::vector<std::vector<OwnParameter>> own_;  ///< by MTU
  std::vector<kernel::ParameterKind> kinds_;    ///< that shape trajectories and are calibrated
  std::vector<std::size_t> column_of_;          ///< by kind: its place in kinds_, or none
  std::vector<double> width_;                   ///< upper - lower
  std::vector<Joint> joints_;
  std::vector<DofEquations> equations_;  ///< by DOF, at last those of summed forces
  std::vector<Band> bands_;
  std::size_t row_stride_ = 0;                ///< steps of a window, in whole packs
  std::vector<std::vector<Action>> actions_;  ///< by lane: trial, then MTU
  std::vector<double> parameters_;
  std::vector<double> matrix_gradient_;  ///< (n_parameter_kind, n_mtu)
  std::vector<BlockPenalties> penalties_;
  LinearTerms linear_;
  double force_scale_ = 0.0;  ///< 1 / sum of the maximum isometric forces at the start [1/N]
  Evaluation evaluation_;
};

/// Calls visit(lane, step, term, weight, distance, slope) at those of some steps where a penalty is
/// not zero: distance outside the range and its derivative by the penalised quantity.
template <class Visit>
void Problem::visit_penalties(std::size_t block, const Visit& visit,
                              const kernel::StepRange& steps) const {
  using Number = kernel::Dual<double, 1>;
  const engine::LaneLayout& layout = workspace_.layout();
  const std::size_t width = layout.backend().width;
  const engine::LaneTrace trace = workspace_.trace(block);
  const kernel::ObjectiveOptions& options = data_->objective;
  const bool elastic = data_->simulation.tendon != kernel::TendonModel::stiff;
  for (const engine::Lane& lane : layout.lanes_of(block)) {
    const std::size_t n_step = layout.n_step(lane.trial);
    const auto look = [&](Term term, const kernel::RangePenalty& range, const double* table,
                          double scale) {
      const double weight =
          kernel::penalty_weight(options.normalisation, sizes_, static_cast<double>(n_step), range);
      for (std::size_t k = steps.first; k < std::min(steps.end, n_step); ++k) {
        const double x = table[k * width + lane.place] * scale;
        if (x >= range.lowest && x <= range.highest) continue;
        const Number outside = kernel::distance_outside(Number::variable(x, 1.0, 0), range);
        visit(lane, k, term, weight, outside.value, outside.partial[0]);
      }
    };
    const double lmo = parameter(kernel::ParameterKind::optimal_fibre_length, lane.mtu);
    look(Term::fibre_length, options.fibre_length, trace.fibre_length, 1.0 / lmo);
    if (elastic) look(Term::tendon_strain, options.tendon_strain, trace.tendon_strain, 1.0);
  }
}

}  // namespace ceinms_torch::calibration
