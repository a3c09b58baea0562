/// @file term.hpp
/// What the terms of an objective are made of: a name, options, what they observe, and the formula
/// as a template on the number type, from which both engines take values and derivatives.
#pragma once

#include "ceinms_torch/kernel/number.hpp"
#include "ceinms_torch/kernel/parameters.hpp"
#include "ceinms_torch/kernel/trajectory.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <vector>

namespace ceinms_torch::terms {

/// How moment errors of different trials and DOFs are made comparable; see moment.hpp.
enum class Normalisation { variance, mean_square, rmse };

/// What weights depend on, so that how terms balance does not depend on how much data there are.
struct Balance {
  Normalisation normalisation = Normalisation::variance;
  double n_dof = 1.0;    ///< DOFs that count
  double n_trial = 1.0;  ///< trials

  /// Factor on what a trial adds: once per DOF, as moment errors are summed (CEINMS), or averaged
  /// over trials.
  double per_trial() const noexcept {
    return normalisation == Normalisation::variance ? n_dof : 1.0 / n_trial;
  }
};

// ---- What a term observes

/// A quantity of an MTU at every step over some of its own parameters, so that it has no unit. Such
/// a term, or each of its penalties, is per_trial() times its weight times the mean over steps of
/// `residual(x)` squared, summed over the MTUs that it acts on and trials.
struct Observable {
  kernel::Quantity quantity;
  std::array<kernel::ParameterKind, 2> over{};
  std::size_t n_over = 0;

  consteval Observable(kernel::Quantity of, std::same_as<kernel::ParameterKind> auto... parameters)
      : quantity(of), over{parameters...}, n_over(sizeof...(parameters)) {
    if (of == kernel::Quantity::mtu_force) throw "kinds that only scale it have no sensitivities";
  }
};
inline constexpr Observable activation{kernel::Quantity::activation};
inline constexpr Observable norm_fibre_length{kernel::Quantity::fibre_length,
                                              kernel::ParameterKind::optimal_fibre_length};
inline constexpr Observable norm_fibre_velocity{kernel::Quantity::fibre_velocity,
                                                kernel::ParameterKind::optimal_fibre_length,
                                                kernel::ParameterKind::max_contraction_velocity};
inline constexpr Observable tendon_strain{kernel::Quantity::tendon_strain};

/// A sum of MTU forces at every step of a trial. Such a term is `of_mean(mean, ...)` of the mean
/// over steps of `of_square(s^2)`, summed over DOFs and trials, where of_square(0) is 0 and neither
/// falls: so it is least squares with weights of its own (see calibration/problem.hpp).
enum class ForceSum {
  moment_error,  ///< measured less predicted joint moment, of every DOF that counts [N m]
  total,         ///< all MTU forces over the sum of F0 at the start, per trial [-]
};

/// Excitations that synergies make, at the nodes of their primitives, and a number beside each.
/// Such a term is per_trial() times its weight times the mean over nodes and excitations of
/// `residual(value, other)` squared, summed over trials.
enum class Node {
  recorded,     ///< reconstructed and recorded excitation, channel by channel
  synthesised,  ///< synthesised excitation
  tied,         ///< synthesised excitation that is tied, and its scaled pattern; and
                ///< the size of that pattern times sqrt(a), and what it should be
  change,       ///< synthesised excitation at a node, and at the next: the mean is that over time
                ///< of the squared (residual / interval)
  factor,       ///< synthesised excitation, primitives and weightings, each for itself: means over
                ///< nodes, of which a weighting has one, are summed
};

template <class Term, class Of>
concept Observes =
    std::same_as<std::remove_cvref_t<decltype(std::remove_cvref_t<Term>::observes)>, Of>;

// ---- Parts of terms

struct Range {
  double lowest = 0.0;
  double highest = 0.0;
};

/// How far x is outside a range: the root of P in eq. (4), without its weight and sign.
template <class T>
T distance_outside(const T& x, const Range& range) {
  return kernel::math::at_least(T(x - range.highest), 0.0) +
         kernel::math::at_least(T(range.lowest - x), 0.0);
}

/// A term with nothing to choose but a weight. Without one it does not count.
struct Weighted {
  double weight = 0.0;

  void options(const auto& set) { set("weight", weight); }
  bool counts(kernel::TendonModel /*tendon*/) const noexcept { return weight > 0.0; }
  bool acts_on(std::size_t /*mtu*/) const noexcept { return true; }
  /// Where its residual is zero and has no slope: nowhere, unless a term says so.
  bool is_zero(double /*x*/) const noexcept { return false; }
};

/// Whether an index is among some; all are among none.
inline bool is_among(const std::vector<std::size_t>& some, std::size_t index) noexcept {
  return some.empty() || std::ranges::find(some, index) != some.end();
}

/// Penalty P of eq. (4), and of CEINMS after 0.9: weight * distance^exponent outside a range.
struct Penalty {
  Range range;
  double weight = 0.0;
  double exponent = 2.0;               ///< >= 1
  std::vector<std::size_t> mtus = {};  ///< whose quantity it is; none for all

  bool acts_on(std::size_t mtu) const noexcept { return is_among(mtus, mtu); }
  /// Where the residual is zero, as it is at most steps: these need not wait for the power.
  bool is_zero(double x) const noexcept { return !(x > range.highest || x < range.lowest); }
  /// The root of distance^exponent, with a finite slope where the penalty sets in.
  template <class T>
  T residual(const T& x) const {
    const T distance = distance_outside(x, range);
    if (exponent == 2.0) return distance;
    return distance *
           kernel::math::pow(kernel::math::at_least(distance, 1e-24), 0.5 * exponent - 1.0);
  }
};

/// A term of trajectories that is a sum of penalties on one quantity.
struct Penalties {
  std::vector<Penalty> penalties = {};

  void options(const auto& set) { set("penalties", penalties); }
  bool counts(kernel::TendonModel /*tendon*/) const noexcept {
    return std::ranges::any_of(penalties, [](const Penalty& one) { return one.weight > 0.0; });
  }
};

/// Calls f(part) for every part of a term of trajectories: its penalties, or itself.
template <class Term, class F>
void for_each_part(const Term& term, const F& f) {
  if constexpr (std::derived_from<Term, Penalties>)
    std::ranges::for_each(term.penalties, f);
  else
    f(term);
}

}  // namespace ceinms_torch::terms
