/// @file parameters.hpp
/// The parameters of an MTU: one table, from which all that has to do with kinds of them follows.
#pragma once

#include <array>
#include <cstddef>
#include <type_traits>

namespace ceinms_torch::kernel {

/// What a parameter does, and so how derivatives by it are got.
enum class ParameterRole {
  shape,  ///< it shapes activations or trajectories
  force,  ///< so it does, and the force over F0 S is computed from it itself: see adjoint.hpp
  scale   ///< a factor of the force that nothing else sees: derivatives by it are free
};

/// A line is a kind, X(name, role): in the order CEINMS enumerates them (reference D.2), then those
/// that CEINMS lacks. `python/ceinms_torch/model/parameters.py` has the same, with what files and
/// messages need.
#define CEINMS_TORCH_PARAMETER_KINDS(X)                                                      \
  X(c1, shape)                       /* recursive coefficient C1 [-], |c1| < 1 */            \
  X(c2, shape)                       /* recursive coefficient C2 [-], |c2| < 1 */            \
  X(shape_factor, shape)             /* A of eq. (2) [-], -3..0 */                           \
  X(optimal_fibre_length, force)     /* lmo [m], > 0 */                                      \
  X(pennation_angle, shape)          /* alpha0 at lmo [rad], 0..pi/2 */                      \
  X(tendon_slack_length, force)      /* lts [m], > 0 */                                      \
  X(max_isometric_force, scale)      /* F0 [N], > 0 */                                       \
  X(max_contraction_velocity, shape) /* vmax [lmo/s], > 0 */                                 \
  X(strength_coefficient, scale)     /* S [-], > 0 */                                        \
  X(em_delay, shape)                 /* d^em [s] */                                          \
  X(damping, force)                  /* d^m of eq. (3) [-], > 0 for the Rosenbrock tendon */ \
  X(percentage_change, force)        /* g [-]: optimal length grows by g (1 - a) */          \
  X(tendon_stiffness, force)         /* k [-], > 0: at a strain the tendon pulls k F^t */    \
  X(passive_stiffness, force)        /* factor on F^p [-], >= 0 */                           \
  X(emg_gain, shape)                 /* factor on the excitation [-], > 0 */                 \
  /* One line is all that a kind needs here. */

/// Rows of every (n_parameter_kind, n_mtu) parameter matrix.
enum class ParameterKind : std::size_t {
#define CEINMS_TORCH_ENUMERATOR(name, role) name,
  CEINMS_TORCH_PARAMETER_KINDS(CEINMS_TORCH_ENUMERATOR)
#undef CEINMS_TORCH_ENUMERATOR
};

#define CEINMS_TORCH_ROLE(name, role) ParameterRole::role,
inline constexpr std::array parameter_roles{CEINMS_TORCH_PARAMETER_KINDS(CEINMS_TORCH_ROLE)};
#undef CEINMS_TORCH_ROLE

#define CEINMS_TORCH_NAME(name, role) #name,
inline constexpr std::array parameter_names{CEINMS_TORCH_PARAMETER_KINDS(CEINMS_TORCH_NAME)};
#undef CEINMS_TORCH_NAME

inline constexpr std::size_t n_parameter_kind = parameter_roles.size();

constexpr std::size_t index_of(ParameterKind kind) noexcept {
  return static_cast<std::size_t>(kind);
}

constexpr bool only_scales(ParameterKind kind) noexcept {
  return parameter_roles[index_of(kind)] == ParameterRole::scale;
}

/// How many of the first kinds have a role.
constexpr std::size_t count_of(ParameterRole role, std::size_t n = n_parameter_kind) noexcept {
  std::size_t count = 0;
  for (std::size_t i = 0; i < n; ++i) count += parameter_roles[i] == role;
  return count;
}

/// A kind that is known at compile time; converts to ParameterKind.
template <ParameterKind kind>
using KindConstant = std::integral_constant<ParameterKind, kind>;

/// Parameters of one MTU (or, for tensors, of all MTUs at once).
template <class T>
struct MtuParameters {
#define CEINMS_TORCH_MEMBER(name, role) T name;
  CEINMS_TORCH_PARAMETER_KINDS(CEINMS_TORCH_MEMBER)
#undef CEINMS_TORCH_MEMBER

  /// Build from `get(kind)`, which returns one parameter; `kind` may be taken as a KindConstant.
  template <class Get>
  static MtuParameters from(const Get& get) {
#define CEINMS_TORCH_GET(name, role) get(KindConstant<ParameterKind::name>{}),
    return {CEINMS_TORCH_PARAMETER_KINDS(CEINMS_TORCH_GET)};
#undef CEINMS_TORCH_GET
  }

  const T& operator[](ParameterKind kind) const {
#define CEINMS_TORCH_POINTER(name, role) &MtuParameters::name,
    static constexpr T MtuParameters::*members[] = {
        CEINMS_TORCH_PARAMETER_KINDS(CEINMS_TORCH_POINTER)};
#undef CEINMS_TORCH_POINTER
    return this->*members[index_of(kind)];
  }
};

}  // namespace ceinms_torch::kernel
