/// @file number.hpp
/// What the kernel's equations need to know about tensors (see kernel/number.hpp).
#pragma once

#include "ceinms_torch/kernel/curves.hpp"
#include "ceinms_torch/kernel/number.hpp"
#include "ceinms_torch/kernel/spline.hpp"

#include <ATen/ATen.h>

#include <utility>

namespace ceinms_torch::tensor {

/// A PiecewiseCubic whose knots and pieces live in tensors.
struct Table {
  at::Tensor knots;   ///< (n_knot), increasing
  at::Tensor pieces;  ///< (n_knot + 1, 5): origin, c0, c1, c2, c3

  at::Tensor value(const at::Tensor& x) const { return value_and_slope(x).first; }
  /// Value and derivative; both carry derivatives, of any order, with respect to x and pieces.
  std::pair<at::Tensor, at::Tensor> value_and_slope(const at::Tensor& x) const;
};

using Curves = kernel::MtuCurves<Table>;

/// The same curves for `double`.
kernel::MtuCurves<kernel::PiecewiseCubic> numbers_of(const Curves& curves);

}  // namespace ceinms_torch::tensor

namespace ceinms_torch::kernel {

template <>
struct Number<at::Tensor> {
  static at::Tensor exp(const at::Tensor& x) { return at::exp(x); }
  static at::Tensor sqrt(const at::Tensor& x) { return at::sqrt(x); }
  static at::Tensor pow(const at::Tensor& x, double exponent) { return at::pow(x, exponent); }
  static at::Tensor sin(const at::Tensor& x) { return at::sin(x); }
  static at::Tensor asin(const at::Tensor& x) { return at::asin(x); }
  static at::Tensor select(const at::Tensor& condition, const at::Tensor& a, const at::Tensor& b) {
    return at::where(condition, a, b);
  }
  static at::Tensor select(const at::Tensor& condition, const at::Tensor& a, double b) {
    return at::where(condition, a, b);
  }
  static at::Tensor both(const at::Tensor& a, const at::Tensor& b) { return at::logical_and(a, b); }
  static bool all(const at::Tensor& condition) { return condition.all().item<bool>(); }
  static at::Tensor detach(const at::Tensor& x) { return x.detach(); }
  static bool is_zero(const at::Tensor& x) { return !x.defined(); }

  static at::Tensor lookup(const tensor::Table& table, const at::Tensor& x) {
    return table.value(x);
  }
  static std::pair<at::Tensor, at::Tensor> lookup_with_slope(const tensor::Table& table,
                                                             const at::Tensor& x) {
    return table.value_and_slope(x);
  }
};

}  // namespace ceinms_torch::kernel
