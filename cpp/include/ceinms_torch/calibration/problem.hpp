/// @file problem.hpp
/// A calibration step as an optimiser of this layer sees it: a point of the unit box in, and the
/// objective, its gradient, or its linearised residuals out.
#pragma once

#include "ceinms_torch/calibration/linear_terms.hpp"
#include "ceinms_torch/calibration/smooth_problem.hpp"
#include "ceinms_torch/engine/simulation.hpp"
#include "ceinms_torch/kernel/dual.hpp"
#include "ceinms_torch/kernel/parameter_map.hpp"
#include "ceinms_torch/terms/terms.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace ceinms_torch::calibration {

/// Measured moments of one trial, (n_step, n_dof) row-major [N m].
struct MeasuredMoments {
  std::vector<double> moment;
  std::vector<double> variance;  ///< (n_dof) sample variance [N^2 m^2]
};

/// What a calibration step minimises and may change.
struct ProblemData {
  kernel::ParameterMap map;
  std::vector<MeasuredMoments> measured;  ///< per trial
  std::vector<std::size_t> dofs;          ///< indices of the DOFs that count
  terms::Objective objective;
  kernel::SimulationOptions simulation;
  std::vector<LinearTerm> linear_terms = {};  ///< on points of the unit box
};

/// See the file's comment. Not safe for use by several threads.
///
/// A term of summed forces is least squares with weights of its own: with m the mean over n steps
/// of of_square(e^2), d(of_mean(m)) = sum_k w_k d(e_k^2), where w_k = of_mean'(m) of_square'(e_k^2)
/// / n. So sqrt(w_k) e_k are residuals whose gradient is exact; their Gauss-Newton matrix takes w_k
/// as it is. Their squares sum to the term where that is homogeneous in e^2, as all are but
/// Normalisation::rmse: of a root they are a half, of its power p the p/2-fold.
///
/// Blocks of lanes and summed forces are worked on by several threads, each with sums of its own;
/// these are added in a fixed order, so that no result depends on the number of threads.
class Problem final : public SmoothProblem {
 public:
  /// @param n_thread  at most; no more than can be busy at a time
  Problem(const engine::Backend& backend, const std::vector<kernel::TrialInput>& trials,
          std::shared_ptr<const engine::CurveTables> curves, ProblemData data,
          std::size_t n_thread);

  std::size_t n_component() const noexcept override { return data_->map.n_component(); }
  std::vector<std::string> term_names() const override;
  const engine::LaneLayout& layout() const noexcept { return workspace_.layout(); }
  std::size_t n_thread() const noexcept { return workspace_.pool().n_thread(); }
  /// Threads that can be busy at a time.
  std::size_t n_task() const noexcept { return n_task_; }
  const terms::Balance& balance() const noexcept { return balance_; }
  kernel::TendonModel tendon() const noexcept { return data_->simulation.tendon; }

  /// Objective at x (n).
  const Evaluation& evaluate(const double* x);
  const Evaluation& gradient(const double* x, double* gradient) override;
  /// Objective, gradient (n) and the upper triangle of the Gauss-Newton matrix (n, n): twice the
  /// sum over all residuals of the products of their derivatives.
  const Evaluation& normal_equations(const double* x, double* gradient, double* matrix);
  /// Residuals and their derivatives: resized to (n_row) and (n_row, n). Those of summed forces,
  /// step by step, then of trajectories where they are not zero, then linear terms.
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
  /// Forces of a trial's MTUs times their arms, summed at every step: what a term observes.
  struct SummedForces {
    std::size_t term;   ///< its place among all
    std::size_t group;  ///< whose rows it shares: its DOF, or all forces
    std::size_t trial;
    double variance;                 ///< of `measured`
    std::vector<double> measured;    ///< (n_step); zeros for all forces
    std::vector<double> error;       ///< e = measured less sum (n_step)
    std::vector<double> weight;      ///< w, the derivative of the term by e^2 (n_step)
    std::vector<double> by_error;    ///< 2 w e, the derivative by e (n_step)
    std::vector<double> scale;       ///< the root of w (n_step)
    std::vector<double> scaled_arm;  ///< of one MTU (n_step)
    std::vector<std::size_t> mtus;   ///< whose arm is not zero throughout
    std::vector<double> arm;         ///< (n_mtus, n_step)
    double mean_square = 0.0;        ///< of the errors
    double value = 0.0;              ///< share of the term
    std::size_t column = 0;          ///< where its steps are in the group's rows
  };
  /// What the sums of one DOF, or of all forces, have in common in all trials.
  struct Group {
    std::vector<std::size_t> sums;
    std::vector<std::size_t> components;  ///< that act on one of the MTUs
    /// Derivatives of the residuals by the components, and the residuals: (components + 1, stride),
    /// the steps of a window of all sums, `length` in whole packs.
    engine::AlignedBuffer rows;
    std::size_t stride = 0;
    std::size_t length = 0;
    std::vector<double> gram;  ///< products of the rows: (components + 1, components + 1), upper
  };
  /// Some rows of a group's products: what one thread computes at a time.
  struct Band {
    std::size_t group;
    std::size_t first;
    std::size_t end;
  };
  /// Where a lane acts: as MTU number `mtu` of a sum.
  struct Action {
    std::size_t sum;
    std::size_t mtu;
  };
  /// One of an MTU's parameters that a component sets.
  struct OwnParameter {
    kernel::ParameterKind kind;
    std::size_t component;
  };
  using Values = std::array<double, terms::n_term<terms::Objective>>;  ///< by place of the term
  /// Terms of a block's trajectories.
  struct BlockTerms {
    Values values{};
    std::vector<double> direct;    ///< (n_parameter_kind, width) derivatives beside the simulation
    std::vector<double> gradient;  ///< (lanes, n_parameter_kind) by own parameters
    std::vector<double> matrix;    ///< (lanes, n_parameter_kind, n_parameter_kind)
  };
  /// A residual of a term of trajectories that is not zero.
  struct Residual {
    const engine::Lane& lane;
    const terms::Observable& observes;
    std::size_t term;  ///< its place among all
    std::size_t step;
    double x;         ///< what is observed
    double per_unit;  ///< x over the quantity
    double weight;    ///< of its square
    double value;
    double slope;  ///< derivative by x
  };

  static constexpr kernel::StepRange all_steps{0, static_cast<std::size_t>(-1)};

  void add_sums(terms::ForceSum observed, std::size_t term,
                const std::vector<kernel::TrialInput>& trials);
  void set_point(const double* x);
  void measure(SummedForces& sum, const kernel::StepRange& steps) const;
  void weigh(SummedForces& sum) const;
  void sum_up();
  double parameter(kernel::ParameterKind kind, std::size_t mtu) const {
    return parameters_[static_cast<std::size_t>(kind) * workspace_.layout().n_mtu() + mtu];
  }
  /// Place of a kind among those that sensitivities are computed of.
  std::size_t column_of(kernel::ParameterKind kind) const {
    return column_of_[static_cast<std::size_t>(kind)];
  }
  template <class Visit>
  void visit_residuals(std::size_t block, const kernel::StepRange& steps, const Visit& visit) const;
  void add_up(std::size_t block, const kernel::StepRange& steps);
  void fill_seeds(std::size_t block);
  /// Those of some steps that a sum's trial has.
  static kernel::StepRange within(const SummedForces& sum,
                                  const kernel::StepRange& steps) noexcept {
    return {std::min(steps.first, sum.error.size()), std::min(steps.end, sum.error.size())};
  }
  void linearise(const double* x, const engine::Workspace::WindowBlockWork& after_block,
                 const engine::Workspace::WindowWork& after);
  void place_rows(const kernel::StepRange& steps);
  void fill_rows(SummedForces& sum, const kernel::StepRange& steps);
  void add_products(const Band& band, const kernel::StepRange& steps);
  void add_block_products(std::size_t block, const kernel::StepRange& steps);
  void add_group_equations(const Group& group, double* gradient, double* matrix) const;
  void add_block_equations(std::size_t block, double* gradient, double* matrix) const;
  template <class Row>
  void block_rows(std::size_t block, const kernel::StepRange& steps, const Row& row) const;

  std::shared_ptr<const ProblemData> data_;
  engine::Workspace workspace_;
  terms::Balance balance_;
  std::vector<std::vector<OwnParameter>> own_;  ///< by MTU
  std::vector<kernel::ParameterKind> kinds_;    ///< that shape trajectories and are calibrated
  std::vector<std::size_t> column_of_;          ///< by kind: its place in kinds_, or none
  std::vector<kernel::Quantity> quantities_;    ///< that terms observe
  /// Weights depend on the errors of trials longer than a window of sensitivities.
  bool is_weighed_first_ = false;
  std::vector<double> values_;  ///< of the components
  std::vector<SummedForces> sums_;
  std::vector<Group> groups_;  ///< by DOF, at last all forces
  std::vector<Band> bands_;
  std::vector<std::vector<Action>> actions_;  ///< by lane: trial, then MTU
  std::vector<double> parameters_;
  std::vector<double> matrix_gradient_;  ///< (n_parameter_kind, n_mtu)
  std::vector<BlockTerms> blocks_;
  LinearTerms linear_;
  std::size_t n_task_ = 1;
  Evaluation evaluation_;
};

/// Calls visit(Residual) at those of some steps where a residual of a block's trajectories is not
/// zero.
template <class Visit>
void Problem::visit_residuals(std::size_t block, const kernel::StepRange& steps,
                              const Visit& visit) const {
  using Number = kernel::Dual<double, 1>;
  const engine::LaneLayout& layout = workspace_.layout();
  const std::size_t width = layout.backend().width;
  const engine::LaneTrace trace = workspace_.trace(block);
  for (const engine::Lane& lane : layout.lanes_of(block)) {
    const std::size_t n_step = layout.n_step(lane.trial);
    terms::for_each(data_->objective, [&](const auto& term, std::size_t place) {
      if constexpr (terms::Observes<decltype(term), terms::Observable>) {
        if (!term.counts(tendon())) return;
        constexpr const terms::Observable& observes = std::remove_cvref_t<decltype(term)>::observes;
        const double* table = trace[observes.quantity];
        double per_unit = 1.0;
        for (std::size_t i = 0; i < observes.n_over; ++i)
          per_unit /= parameter(observes.over[i], lane.mtu);
        terms::for_each_part(term, [&](const auto& part) {
          if (part.weight == 0.0 || !part.acts_on(lane.mtu)) return;
          const double weight = part.weight * balance_.per_trial() / static_cast<double>(n_step);
          for (std::size_t k = steps.first; k < std::min(steps.end, n_step); ++k) {
            const double x = table[k * width + lane.place] * per_unit;
            if (part.is_zero(x)) continue;
            const Number residual = part.residual(Number::variable(x, 1.0, 0));
            visit(Residual{lane, observes, place, k, x, per_unit, weight, residual.value,
                           residual.partial[0]});
          }
        });
      }
    });
  }
}

}  // namespace ceinms_torch::calibration
