/// Path polynomials of several MTUs side by side, for one instruction set, see lanes.cpp.

#include "ceinms_torch/engine/path_lanes.hpp"

#include "ceinms_torch/kernel/pack.hpp"

#include <utility>

namespace ceinms_torch::engine {
namespace {

using kernel::Pack;
using kernel::pack_width;

template <std::size_t n>
#if defined(CEINMS_TORCH_FLATTEN)
[[gnu::flatten]]
#endif
void lengths(const double* coordinates, std::size_t order, const double* coefficients,
             double* result) noexcept {
  Pack q[n];
  for (std::size_t i = 0; i < n; ++i) q[i] = coordinates[i];
  const double* row = coefficients + kernel::n_path_term(n, order) * pack_width;
  auto previous = [&row] { return Pack::load(row -= pack_width); };
  const auto [length, slope] = kernel::path_polynomial<n>(q, order, previous);
  length.store(result);
  for (std::size_t i = 0; i < n; ++i) slope[i].store(result + (1 + i) * pack_width);
}

template <std::size_t... i>
constexpr PathLengths of_every_number(std::index_sequence<i...>) {
  return {&lengths<i + 1>...};
}

}  // namespace

const PathLengths CEINMS_TORCH_ISA::path_lengths =
    of_every_number(std::make_index_sequence<kernel::most_path_coordinates>());

}  // namespace ceinms_torch::engine
