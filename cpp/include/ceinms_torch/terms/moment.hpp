/// @file moment.hpp
/// Moment errors, eq. (4). With e = measured less predicted moment of step k, DOF d, trial t:
///
///   variance     sum_td mean_k(e^2) / s_td^2 as CEINMS has it (reference D.3), s^2 being the
///                sample variance of the measured moment, or its floor
///   mean_square  mean over trials, DOFs and steps of e^2 [N^2 m^2]. (As printed, eq. (4) does not
///                divide by the number of steps, which would let long trials weigh more.)
///   rmse         sum_d mean_t sqrt(mean_k(e^2)) [N m]; as CEINMS after 0.9 has it, a sum of
///                w sum_d mean_t (sqrt(mean_k(e^2)))^p, or of such with sum_k in place of mean_k
#pragma once

#include "ceinms_torch/terms/term.hpp"

namespace ceinms_torch::terms {

/// One of the powers of root squares that `rmse` sums up.
struct Power {
  double weight = 1.0;
  double exponent = 1.0;               ///< of the root; >= 1
  bool is_of_sum = false;              ///< whether squares are summed over steps, not averaged
  std::vector<std::size_t> dofs = {};  ///< places among the DOFs that count; none for all

  /// Its weight at a DOF.
  double weight_at(std::size_t dof) const noexcept { return is_among(dofs, dof) ? weight : 0.0; }
};

/// What a moment's term knows of the errors of one DOF in one trial.
struct OneMoment {
  double variance;  ///< of the measured moment, or its floor
  std::size_t dof;  ///< its place among those that count
  double n_step;

  double weight(const Power& power) const noexcept { return power.weight_at(dof); }
};

struct Moment {
  static constexpr std::string_view name = "moment";
  static constexpr ForceSum observes = ForceSum::moment_error;
  std::vector<Power> powers{Power{}};  ///< with `rmse`; at least one

  void options(const auto& set) { set("powers", powers); }
  bool counts(kernel::TendonModel /*tendon*/) const noexcept { return true; }
  /// Whether of_mean and of_square are proportional to what they take, so that weights are
  /// constant.
  bool is_plain(const Balance& balance) const noexcept {
    return balance.normalisation != Normalisation::rmse;
  }

  template <class T>
  static T of_square(const T& square) {
    return square;
  }
  /// @param of  a OneMoment, or the like of several
  template <class T, class Of>
  T of_mean(const T& mean, const Of& of, const Balance& balance) const {
    switch (balance.normalisation) {
      case Normalisation::variance:
        return mean / of.variance;
      case Normalisation::mean_square:
        return mean / (balance.n_dof * balance.n_trial);
      case Normalisation::rmse:
        break;
    }
    const auto weighted = [&](const Power& power) -> T {
      const T square = power.is_of_sum ? T(mean * of.n_step) : mean;
      // A perfect fit has no derivative; the smallest representable error keeps it finite.
      return of.weight(power) * kernel::math::pow(T(square + 1e-24), 0.5 * power.exponent);
    };
    T sum = weighted(powers.front());
    for (std::size_t i = 1; i < powers.size(); ++i) sum = sum + weighted(powers[i]);
    return sum / balance.n_trial;
  }
};

}  // namespace ceinms_torch::terms
