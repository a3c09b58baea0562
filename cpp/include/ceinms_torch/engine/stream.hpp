/// @file stream.hpp
/// Forces and moments in real time: one instant in, one instant out, no allocation in between.
#pragma once

#include "ceinms_torch/engine/path_set.hpp"
#include "ceinms_torch/engine/simulation.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace ceinms_torch::engine {

/// What a stream is set up from.
struct StreamSetup {
  std::size_t n_mtu = 0;                              ///< >= 1
  std::vector<double> parameters;                     ///< (n_parameter_kind, n_mtu)
  std::vector<std::vector<std::size_t>> mtus_of_dof;  ///< (n_dof) MTUs that act on each DOF
  double rate = 0.0;           ///< steps per second [Hz], lowest_rate to highest_rate
  double longest_delay = 0.0;  ///< em_delay may be changed to this at most [s], >= 0;
                               ///< most_delayed samples
  kernel::SimulationOptions simulation;
};

/// A trial that has no end: what kernel::simulate_trial would give for the instants so far, of
/// which the last one is kept.
///
/// Excitations are sampled at the instants of the lengths. Before its first sample a signal ramps
/// up from zero, as in a trial. The stiff tendon's MTU velocity is the difference of the last two
/// lengths over the time between them, zero at the first. Not safe for use by several threads.
class Stream {
 public:
  static constexpr double lowest_rate = 1e-3;  ///< [Hz]
  static constexpr double highest_rate = 1e6;  ///< [Hz]
  static constexpr double most_delayed = 1e6;  ///< samples that the ring keeps, of every MTU

  /// Allocates all that it will ever need.
  /// @throws InputError if `setup` is not as described
  Stream(const Backend& backend, std::shared_ptr<const CurveTables> curves,
         const StreamSetup& setup);

  std::size_t n_mtu() const noexcept { return n_mtu_; }
  std::size_t n_dof() const noexcept { return mtus_of_dof_.size(); }
  const Backend& backend() const noexcept { return *backend_; }

  /// An excitation before the first step: only the activation filter runs.
  /// @param excitation (n_mtu); clamped to 0..1
  /// @throws InputError if a number is not finite; std::logic_error after a step
  void run_in(const double* excitation);

  /// The next instant.
  /// @param excitation (n_mtu); clamped to 0..1
  /// @param mtu_length (n_mtu) [m]
  /// @param moment_arm (n_dof, n_mtu) [m]; read where an MTU acts
  /// @throws InputError if a number is not finite; nothing has changed then
  void step(const double* excitation, const double* mtu_length, const double* moment_arm);

  /// The next instant, with lengths and moment arms from coordinates.
  /// @param coordinates  (paths.n_coordinate) [rad]
  /// @throws InputError if a number is not finite, or the paths are not of as many MTUs and DOFs;
  ///         nothing has changed then
  void step(const double* excitation, const PathSet& paths, const double* coordinates);

  /// Replace the parameters (n_parameter_kind, n_mtu); activation and fibres go on as they are.
  /// Does not allocate.
  /// @throws InputError if a delay is not in 0..longest_delay, or one is not finite;
  ///         nothing has changed then
  void set_parameters(const double* parameters);

  /// Back to rest, before the first instant. Parameters stay.
  void reset() noexcept;

  /// Steps so far.
  std::size_t n_step() const noexcept { return n_step_; }
  /// Excitations so far that were outside 0..1.
  std::size_t n_clamped() const noexcept { return n_clamped_; }

  // The last instant; zeros before the first. (n_mtu) each, joint_moment (n_dof).
  std::span<const double> mtu_force() const noexcept { return of(now_.mtu_force); }    ///< [N]
  std::span<const double> joint_moment() const noexcept { return moment_; }            ///< [N m]
  std::span<const double> activation() const noexcept { return of(now_.activation); }  ///< [-]
  std::span<const double> fibre_length() const noexcept { return of(now_.fibre_length); }  ///< [m]
  std::span<const double> fibre_velocity() const noexcept {
    return of(now_.fibre_velocity);  ///< [m/s]
  }
  std::span<const double> tendon_strain() const noexcept {
    return of(now_.tendon_strain);
  }  ///< [-]

 private:
  /// When an MTU's excitation acts: `whole` - `fraction` samples later.
  struct Delay {
    std::size_t whole = 0;
    double fraction = 0.0;
    std::size_t first = 0;  ///< sample at which the signal has started
  };

  std::span<const double> of(const double* table) const noexcept { return {table, n_mtu_}; }
  void set_delay(std::size_t lane) noexcept;
  void take_excitation(const double* excitation) noexcept;
  void run_lanes(bool with_lengths) noexcept;

  const Backend* backend_;
  std::shared_ptr<const CurveTables> curves_;
  kernel::SimulationOptions options_;
  std::vector<std::vector<std::size_t>> mtus_of_dof_;
  double rate_;
  double longest_delay_;
  std::size_t n_mtu_;
  std::size_t n_lane_;                  ///< n_mtu, rounded up to whole packs; lane i is MTU i
  std::size_t n_history_;               ///< samples in the ring, a power of two
  std::vector<Delay> delays_;           ///< (n_lane)
  std::vector<std::int64_t> is_third_;  ///< (n_lane)
  AlignedBuffer parameters_;            ///< (n_block, n_parameter_kind, width)
  AlignedBuffer state_;                 ///< (n_block, n_state_row, width)
  AlignedBuffer history_;               ///< (n_history, n_lane), sample n in row n mod n_history
  AlignedBuffer excitation_, mtu_length_, mtu_velocity_;  ///< (n_lane)
  AlignedBuffer results_;                                 ///< what now_ points to
  LaneTrace now_;
  std::vector<double> moment_;                  ///< (n_dof)
  std::vector<double> path_length_, path_arm_;  ///< (n_mtu), (n_dof, n_mtu) from coordinates
  std::size_t n_sample_ = 0;
  std::size_t n_step_ = 0;
  std::size_t n_clamped_ = 0;
  std::size_t last_third_ = 0;  ///< no filter restarts after this sample
};

}  // namespace ceinms_torch::engine
