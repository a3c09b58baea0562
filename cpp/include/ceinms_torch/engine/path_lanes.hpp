/// @file path_lanes.hpp
/// Path polynomials, compiled once per instruction set like the simulations of lanes.hpp.
#pragma once

#include "ceinms_torch/kernel/path_polynomial.hpp"

#include <array>
#include <cstddef>

namespace ceinms_torch::engine {

/// The lengths of a pack of MTUs in one pose, and their derivatives: for 1, 2 ... coordinates n.
///
/// The arguments are the coordinates (n) [rad], the order, coefficients (n_path_term, width), and
/// the result (1 + n, width): lengths [m], derivatives [m/rad].
using PathLengths = std::array<void (*)(const double* coordinates, std::size_t order,
                                        const double* coefficients, double* result) noexcept,
                               kernel::most_path_coordinates>;

#if defined(CEINMS_TORCH_ISA)
namespace CEINMS_TORCH_ISA {
extern const PathLengths path_lengths;
}
#endif

}  // namespace ceinms_torch::engine
