/// Dense linear algebra for one instruction set, see lanes.cpp. `Eigen` is defined as a name of its
/// own for each, so that no linker can mix the code of two of them.
///
/// Measured on one core with AVX-512, 1300 unknowns: Eigen's Cholesky takes 12.5 ms, OpenBLAS's of
/// scipy 18 ms (with two threads, which spin, 33 ms), a plain loop 137 ms. For Gram matrices of up
/// to 400 rows of 256 numbers the tiles below are as fast as Eigen or faster, up to threefold.

#include "ceinms_torch/engine/dense.hpp"

#include "ceinms_torch/kernel/pack.hpp"

#if !defined(Eigen)
#error "define Eigen as a name for the instruction set"
#endif
#include <Eigen/Cholesky>
#include <type_traits>

namespace ceinms_torch::engine {
namespace {

using kernel::Pack;
using kernel::pack_width;

double sum_of(Pack pack) {
  double sum = 0.0;
  for (std::size_t lane = 0; lane < pack_width; ++lane) sum += pack[lane];
  return sum;
}

/// Add the products of rows i..i + n_i - 1 and j..j + n_j - 1.
template <std::size_t n_i, std::size_t n_j>
void add_tile(const double* rows, std::size_t i, std::size_t j, std::size_t n, std::size_t stride,
              std::size_t length, double* gram) {
  Pack sums[n_i][n_j] = {};
  for (std::size_t k = 0; k < length; k += pack_width)
    for (std::size_t a = 0; a < n_i; ++a)
      for (std::size_t b = 0; b < n_j; ++b)
        sums[a][b] +=
            Pack::load(rows + (i + a) * stride + k) * Pack::load(rows + (j + b) * stride + k);
  for (std::size_t a = 0; a < n_i; ++a)
    for (std::size_t b = 0; b < n_j; ++b) gram[(i + a) * n + j + b] += sum_of(sums[a][b]);
}

[[gnu::flatten]] void add_gram(const double* rows, std::size_t n, std::size_t stride,
                               std::size_t length, std::size_t first, std::size_t end,
                               double* gram) {
  constexpr std::size_t t = gram_tile;
  // So much of so many rows stays in the first cache.
  constexpr std::size_t most = 256;
  constexpr std::size_t height = 4 * t;
  const std::size_t n_tiled = n - n % t;
  for (std::size_t done = 0; done < length; done += most, rows += most) {
    const std::size_t part = length - done < most ? length - done : most;
    for (std::size_t top = first; top < end; top += height) {
      const std::size_t last = top + height < end ? top + height : end;
      const std::size_t last_tiled = last < n_tiled ? last : n_tiled;
      for (std::size_t j = top; j < n_tiled; j += t)
        for (std::size_t i = top; i < last_tiled && i <= j; i += t)
          add_tile<t, t>(rows, i, j, n, stride, part, gram);
      for (std::size_t j = n_tiled; j < n; ++j) {
        for (std::size_t i = top; i < last_tiled; i += t)
          add_tile<t, 1>(rows, i, j, n, stride, part, gram);
        for (std::size_t i = last_tiled; i < last && i <= j; ++i)
          add_tile<1, 1>(rows, i, j, n, stride, part, gram);
      }
    }
  }
}

// U by rows is U^T = L by columns, which is what Eigen likes best.
template <class Number>
auto columns(Number* data, std::size_t n_row, std::size_t n_column, std::size_t stride) {
  using Matrix =
      std::conditional_t<std::is_const_v<Number>, const Eigen::MatrixXd, Eigen::MatrixXd>;
  return Eigen::Map<Matrix, Eigen::Unaligned, Eigen::OuterStride<>>(
      data, static_cast<Eigen::Index>(n_row), static_cast<Eigen::Index>(n_column),
      Eigen::OuterStride<>(static_cast<Eigen::Index>(stride)));
}

void multiply(const double* a, std::size_t n, const double* x, double* y) {
  const auto size = static_cast<Eigen::Index>(n);
  Eigen::Map<Eigen::VectorXd>(y, size).noalias() =
      columns(a, n, n, n).selfadjointView<Eigen::Lower>() *
      Eigen::Map<const Eigen::VectorXd>(x, size);
}

bool factor(double* a, std::size_t n, std::size_t stride) {
  auto lower = columns(a, n, n, stride);
  const Eigen::LLT<Eigen::Ref<Eigen::MatrixXd, 0, Eigen::OuterStride<>>> llt(lower);
  // For Eigen, NaN is positive.
  return llt.info() == Eigen::Success && lower.diagonal().allFinite();
}

void solve_transposed(const double* u, std::size_t n, std::size_t stride, double* rows,
                      std::size_t n_row) {
  auto unknowns = columns(rows, n, n_row, stride);
  columns(u, n, n, stride).triangularView<Eigen::Lower>().solveInPlace(unknowns);
}

void solve(const double* u, std::size_t n, std::size_t stride, double* rows, std::size_t n_row) {
  auto unknowns = columns(rows, n, n_row, stride);
  columns(u, n, n, stride).triangularView<Eigen::Lower>().adjoint().solveInPlace(unknowns);
}

}  // namespace

const DenseAlgebra CEINMS_TORCH_ISA::dense_algebra{&add_gram, &multiply, &factor, &solve_transposed,
                                                   &solve};

}  // namespace ceinms_torch::engine
