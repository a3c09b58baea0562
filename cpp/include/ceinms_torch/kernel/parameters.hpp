/// @file parameters.hpp
/// The twelve parameters of an MTU, in the order CEINMS enumerates them (reference D.2).
#pragma once

#include <cstddef>

namespace ceinms_torch::kernel {

/// Rows of every (n_parameter_kind, n_mtu) parameter matrix.
enum class ParameterKind : std::size_t {
  c1,
  c2,
  shape_factor,
  optimal_fibre_length,
  pennation_angle,
  tendon_slack_length,
  max_isometric_force,
  max_contraction_velocity,
  strength_coefficient,
  em_delay,
  damping,
  percentage_change
};

inline constexpr std::size_t n_parameter_kind = 12;

/// Maximum isometric force and strength coefficient only scale the force.
constexpr bool only_scales(ParameterKind kind) noexcept {
  return kind == ParameterKind::max_isometric_force || kind == ParameterKind::strength_coefficient;
}

/// Parameters of one MTU (or, for tensors, of all MTUs at once).
template <class T>
struct MtuParameters {
  T c1;                        ///< recursive coefficient C1 [-], |c1| < 1
  T c2;                        ///< recursive coefficient C2 [-], |c2| < 1
  T shape_factor;              ///< A of eq. (2) [-], -3..0
  T optimal_fibre_length;      ///< lmo [m], > 0
  T pennation_angle;           ///< alpha0 at lmo [rad], 0..pi/2
  T tendon_slack_length;       ///< lts [m], > 0
  T max_isometric_force;       ///< F0 [N], > 0
  T max_contraction_velocity;  ///< vmax [lmo/s], > 0
  T strength_coefficient;      ///< S [-], > 0
  T em_delay;                  ///< d^em [s]
  T damping;                   ///< d^m of eq. (3) [-], > 0 for the Rosenbrock tendon
  T percentage_change;         ///< g [-]: optimal length grows by g (1 - a)

  /// Build from `get(kind)`, which returns one parameter.
  template <class Get>
  static MtuParameters from(const Get& get) {
    using enum ParameterKind;
    return {get(c1),
            get(c2),
            get(shape_factor),
            get(optimal_fibre_length),
            get(pennation_angle),
            get(tendon_slack_length),
            get(max_isometric_force),
            get(max_contraction_velocity),
            get(strength_coefficient),
            get(em_delay),
            get(damping),
            get(percentage_change)};
  }
};

}  // namespace ceinms_torch::kernel
