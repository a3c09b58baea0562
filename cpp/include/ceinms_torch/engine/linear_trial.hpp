/// @file linear_trial.hpp
/// A trial that is linear in its excitations, and least squares with it: compiled once per
/// instruction set like the simulations of lanes.hpp.
#pragma once

#include <cstddef>

namespace ceinms_torch::engine {

/// Moments as a linear function of excitations. An excitation enters the filter of eq. (1), which
/// hands on u of two steps; with an elastic tendon the fibre hands on its length and velocity.
/// Nothing else of an MTU's past acts, so that all of it is a recurrence of few numbers per MTU.
///
/// Lanes are MTUs, in packs; those that only fill the last pack have arms of zero.
struct LinearTrial {
  std::size_t n_step = 0;
  std::size_t n_mtu = 0;
  std::size_t n_block = 0;  ///< packs of lanes; n_lane is so many times the width
  std::size_t n_dof = 0;
  bool is_stiff = false;
  bool remembers = false;           ///< whether a filter restarts after the third step, so that
                                    ///< its last excitations are handed on, too
  const double* slopes = nullptr;   ///< (n_block, n_step, n_slope, width), see Slope
  const double* filter = nullptr;   ///< (n_block, 3, width): beta1, beta2, gain of eq. (1)
  std::size_t n_restart = 0;        ///< before that many steps the filter may restart
  const double* restart = nullptr;  ///< (n_block, n_restart, width): 1 where it does
                                    ///< (FilterStart), else 0
  const double* arm = nullptr;      ///< (n_step, n_dof, n_lane) [m]
};

/// How many numbers an MTU hands on from one step to the next.
constexpr std::size_t numbers_of(bool is_elastic, bool remembers) noexcept {
  return 2 + (is_elastic ? 2 : 0) + (remembers ? 2 : 0);
}
inline std::size_t n_state(const LinearTrial& trial) noexcept {
  return numbers_of(!trial.is_stiff, trial.remembers);
}

/// The solution of  min_d  |r - J d|^2 / noise + sum_i d_i^2 / v_i + 2 sum_i (c_i / v_i) d_i  for
/// the matrix J of a LinearTrial, n_step n_dof by n_step n_lane, which is never formed.
///
/// It is d = v (J^T y) - c with (noise + J v J^T) y = r + J c: the estimate of d, of variance v,
/// from measurements r. So a Kalman filter factorises the matrix on the left, and filter and
/// smoother solve (Rauch et al. 1965; here in the form of Bryson & Frazier 1963, which
/// inverts no covariance): O(n_step n_lane^2) and O(n_step n_lane). Where v is 0 an excitation is
/// fixed.
struct LinearTrialAlgebra {
  /// @param variance    v (n_step, n_lane), >= 0
  /// @param covariance  room for `covariance_size` numbers
  /// @param gain        (n_step, n_dof, n_state, n_lane), overwritten
  /// @param root        (n_step, n_dof, n_dof) Cholesky factors, overwritten
  /// @return false if a number was not finite
  bool (*factor)(const LinearTrial& trial, const double* variance, double noise, double* covariance,
                 double* gain, double* root);
  /// @param offset     -c (n_step, n_lane)
  /// @param y          (n_step, n_dof): r when called, y afterwards
  /// @param state      room for (n_state, n_lane)
  /// @param pull       J^T y (n_step, n_lane), overwritten
  void (*solve)(const LinearTrial& trial, const double* gain, const double* root,
                const double* offset, double* y, double* state, double* pull);
  /// J^T y alone.
  void (*transposed)(const LinearTrial& trial, const double* y, double* state, double* pull);
};

/// Numbers for the covariance of n_lane lanes.
inline std::size_t covariance_size(const LinearTrial& trial, std::size_t n_lane) noexcept {
  return n_state(trial) * n_lane * (n_state(trial) * n_lane + 1);
}

#if defined(CEINMS_TORCH_ISA)
namespace CEINMS_TORCH_ISA {
extern const LinearTrialAlgebra linear_trial_algebra;
}
#endif

}  // namespace ceinms_torch::engine
