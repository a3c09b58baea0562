/// @file objective.hpp
/// The weights of eq. (4)'s and eq. (5)'s terms, the same for every engine.
#pragma once

#include "ceinms_torch/kernel/number.hpp"

#include <cstddef>

namespace ceinms_torch::kernel {

/// How moment errors of different trials and DOFs are made comparable.
enum class Normalisation {
  /// CEINMS (reference D.3): squared errors over the variance of the measured moment and the
  /// number of steps, summed over trials and DOFs. Penalties count once per DOF.
  variance,
  /// Eq. (4): squared errors averaged over DOFs, steps and trials [N^2 m^2]. (As printed, eq. (4)
  /// does not divide by the number of steps, which would let long trials weigh more.)
  mean_square,
  /// Root mean square error of each DOF and trial, averaged over trials, summed over DOFs [N m].
  rmse,
};

/// Penalty P of eq. (4): weight * distance^2 outside [lowest, highest].
struct RangePenalty {
  double lowest;
  double highest;
  double weight;
};

struct ObjectiveOptions {
  Normalisation normalisation = Normalisation::variance;
  RangePenalty fibre_length{0.5, 1.5, 100.0};   ///< on l / lmo
  RangePenalty tendon_strain{0.0, 0.5, 100.0};  ///< on the tendon strain; elastic tendons only
  double peak_force_weight = 0.0;               ///< on the square of `peak_exponent`'s norm
};

/// The peak of s over a trial is the mean of |s|^p to the power of 1/p: smooth, and nearly the
/// greatest |s|, whatever the sampling rate.
constexpr double peak_exponent = 8.0;

/// What the weights depend on: the sizes of a problem.
struct ObjectiveSizes {
  double n_dof;    ///< DOFs that count
  double n_trial;  ///< trials
};

/// Weight of a squared moment error of a trial of n_step steps whose measured moment has this
/// variance. For Normalisation::rmse it is that of the mean square, whose root is the term.
inline double moment_weight(Normalisation normalisation, const ObjectiveSizes& sizes, double n_step,
                            double variance) noexcept {
  switch (normalisation) {
    case Normalisation::variance:
      return 1.0 / (variance * n_step);
    case Normalisation::mean_square:
      return 1.0 / (n_step * sizes.n_dof * sizes.n_trial);
    case Normalisation::rmse:
      break;
  }
  return 1.0 / n_step;
}

/// Weight of P at one step of one MTU: summed over MTUs and averaged over the trial's steps, then
/// once per DOF (CEINMS) or averaged over trials.
inline double penalty_weight(Normalisation normalisation, const ObjectiveSizes& sizes,
                             double n_step, const RangePenalty& range) noexcept {
  const double per_trial =
      normalisation == Normalisation::variance ? sizes.n_dof : 1.0 / sizes.n_trial;
  return range.weight * per_trial / n_step;
}

/// Weight of the squared peak of a trial, balanced like a P that stands at every step.
inline double peak_weight(Normalisation normalisation, const ObjectiveSizes& sizes,
                          double weight) noexcept {
  return penalty_weight(normalisation, sizes, 1.0, {0.0, 0.0, weight});
}

/// What eq. (5) adds: weights on excitations and the range of everything that makes them.
struct HybridOptions {
  double excitation_weight = 1000.0;  ///< w^e, on recorded excitations less reconstructed ones
  double synthesised_weight = 1.0;    ///< w^s, on synthesised excitations
  double smoothness_weight = 0.0;     ///< on their time derivatives [s^2]
  /// On synthesised excitations, primitives and weightings.
  RangePenalty bounds{0.0, 1.0, 100.0};
};

/// Weight of one squared excitation of F^exc in eq. (5) in a trial with n_node of each: averaged
/// over these and over the n_excitation recorded, or synthesised, ones; over trials like P.
inline double excitation_weight(Normalisation normalisation, const ObjectiveSizes& sizes,
                                double n_node, double n_excitation, double weight) noexcept {
  return penalty_weight(normalisation, sizes, n_node, {0.0, 0.0, weight}) / n_excitation;
}

/// Weight of one squared difference of a synthesised excitation between nodes that are `interval`
/// apart [s], in a trial of this duration [s]: so that squares sum to the mean over time of the
/// squared time derivative.
inline double smoothness_weight(Normalisation normalisation, const ObjectiveSizes& sizes,
                                double interval, double duration, double n_excitation,
                                double weight) noexcept {
  return excitation_weight(normalisation, sizes, interval * duration, n_excitation, weight);
}

/// How far x is outside a range: the root of P in eq. (4), without its weight and sign.
template <class T>
T distance_outside(const T& x, const RangePenalty& range) {
  return math::at_least(T(x - range.highest), 0.0) + math::at_least(T(range.lowest - x), 0.0);
}

}  // namespace ceinms_torch::kernel
