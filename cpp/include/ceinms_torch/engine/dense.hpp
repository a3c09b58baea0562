/// @file dense.hpp
/// Dense linear algebra, compiled once per instruction set like the simulations of lanes.hpp.
#pragma once

#include <cstddef>

namespace ceinms_torch::engine {

/// For one instruction set. Matrices are stored row by row in memory of the caller's. Where that
/// begins on a cache line (AlignedBuffer), rounding does not depend on where it is.
struct DenseAlgebra {
  /// gram[i * n + j] += sum_k rows[i * stride + k] rows[j * stride + k] for first <= i < end,
  /// i <= j < n and k < length: the upper triangle, with parts of tiles below it. `first` is a
  /// multiple of `gram_tile`, so is `end` unless it is n, and `length` one of the pack width.
  void (*add_gram)(const double* rows, std::size_t n, std::size_t stride, std::size_t length,
                   std::size_t first, std::size_t end, double* gram);

  /// y = A x (n) for a symmetric A (n, n), of which only the upper triangle is read.
  void (*multiply)(const double* a, std::size_t n, const double* x, double* y);

  /// The factor U of A = U^T U. Of a (n, n), rows `stride` apart, only the upper triangle is read
  /// and overwritten. False if A is not positive definite.
  bool (*factor)(double* a, std::size_t n, std::size_t stride);

  /// Solve U^T y = b for every row b of rows (n_row, n), rows `stride` apart as in `u`; in place.
  void (*solve_transposed)(const double* u, std::size_t n, std::size_t stride, double* rows,
                           std::size_t n_row);
  /// Solve U y = b, likewise.
  void (*solve)(const double* u, std::size_t n, std::size_t stride, double* rows,
                std::size_t n_row);
};

/// Rows and columns of a Gram matrix that are computed together.
inline constexpr std::size_t gram_tile = 4;

#if defined(CEINMS_TORCH_ISA)
namespace CEINMS_TORCH_ISA {
extern const DenseAlgebra dense_algebra;
}
#endif

}  // namespace ceinms_torch::engine
