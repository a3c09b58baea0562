/// @file moment.hpp
/// Moment errors, eq. (4). With e = measured less predicted moment of step k, DOF d, trial t:
///
///   variance     sum_td mean_k(e^2) / s_td^2 as CEINMS has it (reference D.3), s^2 being the
///                sample variance of the measured moment
///   mean_square  mean over trials, DOFs and steps of e^2 [N^2 m^2]. (As printed, eq. (4) does not
///                divide by the number of steps, which would let long trials weigh more.)
///   rmse         sum_d mean_t sqrt(mean_k(e^2)) [N m]
#pragma once

#include "ceinms_torch/terms/term.hpp"

namespace ceinms_torch::terms {

struct Moment {
  static constexpr std::string_view name = "moment";
  static constexpr ForceSum observes = ForceSum::moment_error;

  void options(const auto& /*set*/) {}
  bool counts(kernel::TendonModel /*tendon*/) const noexcept { return true; }
  /// Whether of_mean and of_square are proportional to what they take, so that weights are
  /// constant.
  static bool is_plain(const Balance& balance) noexcept {
    return balance.normalisation != Normalisation::rmse;
  }

  template <class T>
  static T of_square(const T& square) {
    return square;
  }
  template <class T, class Variance>
  static T of_mean(const T& mean, const Variance& variance, const Balance& balance) {
    switch (balance.normalisation) {
      case Normalisation::variance:
        return mean / variance;
      case Normalisation::mean_square:
        return mean / (balance.n_dof * balance.n_trial);
      case Normalisation::rmse:
        break;
    }
    // A perfect fit has no derivative; the smallest representable error keeps it finite.
    return kernel::math::sqrt(T(mean + 1e-24)) / balance.n_trial;
  }
};

}  // namespace ceinms_torch::terms
