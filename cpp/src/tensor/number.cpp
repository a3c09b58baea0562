#include "ceinms_torch/tensor/number.hpp"

#include <array>

namespace ceinms_torch::tensor {
namespace {

/// The piece serving each x: distance from its origin and its four coefficients.
struct Pieces {
  at::Tensor distance;
  std::array<at::Tensor, 4> c;
};

Pieces pieces_at(const Table& table, const at::Tensor& x) {
  const at::Tensor index = at::searchsorted(table.knots, x.detach().contiguous());
  const auto columns = table.pieces.index_select(0, index.flatten()).unbind(1);
  const auto shaped = [&](std::size_t i) { return columns[i].view(x.sizes()); };
  return {x - shaped(0), {shaped(1), shaped(2), shaped(3), shaped(4)}};
}

at::Tensor cubic(const Pieces& p) {
  return p.c[0] + p.distance * (p.c[1] + p.distance * (p.c[2] + p.distance * p.c[3]));
}

}  // namespace

at::Tensor Table::value(const at::Tensor& x) const {
  return cubic(pieces_at(*this, x));
}

std::pair<at::Tensor, at::Tensor> Table::value_and_slope(const at::Tensor& x) const {
  const Pieces p = pieces_at(*this, x);
  return {cubic(p), p.c[1] + p.distance * (2.0 * p.c[2] + 3.0 * p.distance * p.c[3])};
}

}  // namespace ceinms_torch::tensor
