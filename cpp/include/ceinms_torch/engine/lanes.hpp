/// @file lanes.hpp
/// Whole simulations of several MTUs side by side, compiled once per instruction set.
///
/// A lane is one MTU in one trial. `Backend` is the same code (kernel/trajectory.hpp and
/// kernel/adjoint.hpp on kernel/pack.hpp) for one instruction set; the best that the machine has
/// is chosen at run time. Nothing here allocates; the caller owns all memory.
#pragma once

#include "ceinms_torch/engine/dense.hpp"
#include "ceinms_torch/engine/linear_trial.hpp"
#include "ceinms_torch/engine/path_lanes.hpp"
#include "ceinms_torch/kernel/parameters.hpp"
#include "ceinms_torch/kernel/trajectory.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace ceinms_torch::engine {

/// A curve for pack look-ups; see kernel::PackTable.
struct TableView {
  const double* knots = nullptr;
  const double* pieces = nullptr;  ///< (n_knot + 1, 8)
  std::size_t n_knot = 0;
  double per_step = 0.0;
};

using CurveViews = kernel::MtuCurves<TableView>;

/// What drives one pack of lanes; tables are (n, width), row by row.
///
/// Lanes of unequal length are padded: in front with excitation zero, at the end by repeating
/// the last step.
struct LaneBlock {
  std::size_t n_run_in = 0;
  std::size_t n_step = 0;
  const double* excitation = nullptr;           ///< (n_run_in + n_step, width)
  const double* excitation_by_delay = nullptr;  ///< its derivative by em_delay [1/s], or null
  const std::int64_t* third_sample = nullptr;   ///< (width), index of each lane's third sample
  const std::uint8_t* any_third = nullptr;      ///< (n_run_in + n_step)
  const double* mtu_length = nullptr;           ///< (n_step, width) [m]
  const double* mtu_velocity = nullptr;         ///< (n_step, width) [m/s]
  const double* time_step = nullptr;            ///< (n_step, width) [s]; row 0 is not read
};

/// What a simulation leaves; tables are (n_step, width) but for sample (n_run_in + n_step, width).
struct LaneTrace : kernel::PerQuantity<double*> {
  double* sample = nullptr;       ///< neural activation
  double* denominator = nullptr;  ///< of the step from k to k + 1, see kernel::FibreStep
};

/// Derivatives of a scalar by the outputs of a simulation, (n_step, width) each; null for zero.
using LaneSeeds = kernel::PerQuantity<const double*>;

/// Derivatives of the outputs of some steps by some of a lane's own parameters, (steps, n_kind,
/// width) each; null where nobody asks.
using LaneSensitivities = kernel::PerQuantity<double*>;

/// Derivatives of one step of an MTU, rows of a table (n_step, n_slope, width). The excitation at a
/// step acts through the neural activation u of eq. (1); fibre length l and velocity v hand on what
/// came before.
enum Slope : std::size_t {
  force_by_u,         ///< force [N] by u at the same step
  force_by_length,    ///< by l [N/m]
  force_by_velocity,  ///< by v [N s/m]
  length_by_past_u,   ///< l [m] by u at the step before
  length_by_past_length,
  length_by_past_velocity,
  length_by_u,         ///< by u at the same step
  velocity_by_past_u,  ///< v [m/s], by the same four
  velocity_by_past_length,
  velocity_by_past_velocity,
  velocity_by_u,
  n_slope
};

/// One instant of a stream for one pack of lanes; tables are (width).
struct LaneInstant {
  const double* excitation = nullptr;      ///< at each lane's delay
  const std::int64_t* is_third = nullptr;  ///< -1 where the filter restarts, 0 elsewhere; or null
  const double* mtu_length = nullptr;      ///< [m]; null in the run-in, when only the filter runs
  const double* mtu_velocity = nullptr;    ///< [m/s]; used by the stiff tendon only
  double time_step = 0.0;                  ///< since the last instant [s]
  bool is_first = false;                   ///< no lengths before: the fibre starts in equilibrium
};

/// Rows of the table in which a pack of lanes keeps a kernel::MtuState between two instants. All
/// zeros is rest.
inline constexpr std::size_t n_state_row = 14;

/// Sensitivities by at most this many parameters at a time: all kinds that shape the trajectory.
/// Those by the others are free, see kernel::ParameterRole.
inline constexpr std::size_t max_sensitivities =
    kernel::n_parameter_kind - kernel::count_of(kernel::ParameterRole::scale);

/// Rows of the table in which a pack of lanes keeps what `sensitivities` goes on from: each number
/// of a state with its derivatives. All zeros is rest.
inline constexpr std::size_t n_sensitivity_row = n_state_row * (1 + max_sensitivities);

/// Part of a trajectory, and the kinds of parameters that it is differentiated by.
struct SensitivityWindow {
  const kernel::ParameterKind* kinds = nullptr;
  std::size_t n_kind = 0;  ///< at most max_sensitivities
  kernel::StepRange steps{};
};

/// The engine for one instruction set. `parameters` are always (n_parameter_kind, width).
struct Backend {
  std::string_view name;
  std::size_t width;
  /// So many numbers that whole packs of them are at least n.
  constexpr std::size_t in_whole_packs(std::size_t n) const noexcept {
    return (n + width - 1) / width * width;
  }

  void (*forward)(const CurveViews& curves, const double* parameters, const LaneBlock& block,
                  const kernel::SimulationOptions& options, const LaneTrace& trace);

  /// @param gradient    (n_parameter_kind, width), overwritten; em_delay's share included if the
  ///                    block has excitation_by_delay
  /// @param excitation  (n_run_in + n_step, width) derivatives by the samples, overwritten
  void (*reverse)(const CurveViews& curves, const double* parameters, const LaneBlock& block,
                  const kernel::SimulationOptions& options, const LaneTrace& trace,
                  const LaneSeeds& seeds, double* gradient, double* excitation);

  /// Forward pass through some steps, the run-in before the first, with derivatives.
  ///
  /// @param state  (n_sensitivity_row, width), read and written: rest before the first step, later
  ///               what the steps before have left
  void (*sensitivities)(const CurveViews& curves, const double* parameters, const LaneBlock& block,
                        const kernel::SimulationOptions& options, const SensitivityWindow& window,
                        double* state, const LaneTrace& trace, const LaneSensitivities& result);

  /// The derivatives of every step, at a trajectory that `forward` has left.
  ///
  /// @param slopes  (n_step, n_slope, width), overwritten; those by and of l and v are zero for the
  ///                stiff tendon, whose steps do not depend on each other
  void (*linearise)(const CurveViews& curves, const double* parameters, const LaneBlock& block,
                    const kernel::SimulationOptions& options, const LaneTrace& trace,
                    double* slopes);

  /// One instant of a stream.
  ///
  /// @param state  (n_state_row, width), read and written
  /// @param now    its tables have one row; sample and denominator are not written, and nothing
  ///               is in the run-in
  void (*step)(const CurveViews& curves, const double* parameters, const LaneInstant& instant,
               kernel::TendonModel tendon, double* state, const LaneTrace& now);

  /// Make a state that `step` has left for an elastic tendon fit for other parameters.
  void (*adopt_parameters)(const CurveViews& curves, const double* parameters, double* state);

  const DenseAlgebra* dense;
  const LinearTrialAlgebra* linear_trial;
  const PathLengths* path_lengths;
};

/// Every backend that this build has and this machine runs, the best first.
const std::vector<const Backend*>& backends();

}  // namespace ceinms_torch::engine
