/// @file path_set.hpp
/// MTU lengths and moment arms from coordinates, by polynomials.
#pragma once

#include "ceinms_torch/engine/lanes.hpp"
#include "ceinms_torch/engine/simulation.hpp"

#include <cstddef>
#include <vector>

namespace ceinms_torch::engine {

/// The length of one MTU as kernel::path_polynomial has it.
struct PathPolynomial {
  std::vector<std::size_t> coordinates;  ///< indices of those that it depends on
  std::size_t order = 0;                 ///< largest sum of exponents
  std::vector<double> coefficients;      ///< (n_path_term) [m / rad^exponents]
};

/// What a path set is made from.
struct PathSetSetup {
  std::size_t n_coordinate = 0;
  std::vector<PathPolynomial> paths;  ///< (n_mtu)
  std::vector<std::size_t> dofs;      ///< (n_dof) the coordinate of each DOF
};

/// The paths of all MTUs. MTUs of the same coordinates go through Horner's rule side by side.
/// May be used by several threads at once.
class PathSet {
 public:
  /// @throws InputError if `setup` is not as described
  PathSet(const Backend& backend, const PathSetSetup& setup);

  std::size_t n_coordinate() const noexcept { return n_coordinate_; }
  std::size_t n_mtu() const noexcept { return n_mtu_; }
  std::size_t n_dof() const noexcept { return n_dof_; }

  /// The geometry in one pose. Does not allocate.
  /// @param coordinates  (n_coordinate) [rad]
  /// @param mtu_length   (n_mtu) [m]
  /// @param moment_arm   (n_dof, n_mtu) [m]: minus the derivative of the length
  void evaluate(const double* coordinates, double* mtu_length, double* moment_arm) const noexcept;

 private:
  static constexpr std::size_t widest = 8;      ///< lanes of any backend, at most
  static constexpr std::size_t no_dof = ~0ULL;  ///< for a coordinate that is none

  /// MTUs side by side. Lanes beyond the last have coefficients of zero.
  struct Block {
    std::vector<std::size_t> coordinates;
    std::vector<std::size_t> dofs;  ///< of these coordinates, or no_dof
    std::vector<std::size_t> mtus;
    std::size_t order;
    AlignedBuffer coefficients;  ///< (n_path_term, width)
  };

  const Backend* backend_;
  std::size_t n_coordinate_;
  std::size_t n_mtu_;
  std::size_t n_dof_;
  std::vector<Block> blocks_;
};

}  // namespace ceinms_torch::engine
