/// Splines and curve tables for Python.

#include "arrays.hpp"
#include "bind_kernel.hpp"
#include "ceinms_torch/kernel/curves.hpp"

#include <span>

namespace ceinms_torch::bindings {
namespace {

using kernel::CubicSpline;
using kernel::Ends;
using kernel::PiecewiseCubic;

constexpr std::size_t n_column = PiecewiseCubic::n_column;

CubicSpline spline_through(const Array& x, const Array& y) {
  if (x.ndim() != 1 || x.size() < 1)
    throw InputError("x", "one dimension and at least one knot", shape_of(x));
  check_shape("y", y, {x.size()});
  check_increasing("x", x);
  check_finite("x", x);
  check_finite("y", y);
  const std::span<const double> knots(x.data(), static_cast<std::size_t>(x.size()));
  return CubicSpline(knots, {y.data(), knots.size()});
}

template <class Function>
Array map(const Array& at, const Function& function) {
  Array result(std::vector<py::ssize_t>(at.shape(), at.shape() + at.ndim()));
  std::transform(at.data(), at.data() + at.size(), result.mutable_data(), function);
  return result;
}

}  // namespace

TableArrays to_arrays(const PiecewiseCubic& table) {
  Array pieces({table.pieces.size(), n_column});
  double* out = pieces.mutable_data();
  for (const kernel::CubicPiece& piece : table.pieces) {
    *out++ = piece.origin;
    out = std::copy(piece.c.begin(), piece.c.end(), out);
  }
  return {to_array(table.knots), pieces};
}

PiecewiseCubic to_table(const TableArrays& arrays) {
  const auto& [knots, pieces] = arrays;
  if (knots.ndim() != 1 || knots.size() == 0)
    throw InputError("knots", "one dimension and at least one knot", shape_of(knots));
  check_finite("knots", knots);
  check_increasing("knots", knots);
  check_shape("pieces", pieces, {knots.size() + 1, static_cast<py::ssize_t>(n_column)});
  check_finite("pieces", pieces);
  return PiecewiseCubic::of({knots.data(), static_cast<std::size_t>(knots.size())}, pieces.data());
}

void bind_curves(py::module_& module) {
  module.def(
      "spline_value",
      [](const Array& x, const Array& y, const Array& at) {
        const CubicSpline spline = spline_through(x, y);
        return map(at, [&](double position) { return spline.value(position); });
      },
      "x"_a, "y"_a, "at"_a,
      "Value of CEINMS's cubic spline through (x, y) at any positions; constant outside.");
  module.def(
      "spline_derivative",
      [](const Array& x, const Array& y, const Array& at) {
        const CubicSpline spline = spline_through(x, y);
        return map(at, [&](double position) { return spline.derivative(position); });
      },
      "x"_a, "y"_a, "at"_a,
      "First derivative of CEINMS's cubic spline; outside the knots the slope at the end.");
  module.def(
      "spline_table",
      [](const Array& x, const Array& y) {
        return to_arrays(spline_through(x, y).table(Ends::constant));
      },
      "x"_a, "y"_a, "The spline as (knots, pieces), constant outside.");
  module.def(
      "tendon_table",
      [](const Array& x, const Array& y) {
        const CubicSpline spline = spline_through(x, y);
        return to_arrays(kernel::continue_below_zero(spline, spline.table(Ends::constant),
                                                     kernel::SlackTendon{}));
      },
      "x"_a, "y"_a,
      "A tendon curve as (knots, pieces), with a small positive slope below zero strain.");
  module.def(
      "default_tables",
      [] {
        const auto curves = kernel::default_curves();
        return std::vector<TableArrays>{
            to_arrays(curves.active_force_length), to_arrays(curves.passive_force_length),
            to_arrays(curves.force_velocity), to_arrays(curves.tendon_force_strain)};
      },
      "Smooth curves for subjects without any: active, passive, force-velocity, tendon.");
  module.def(
      "table_value",
      [](const TableArrays& table, const Array& at) {
        const PiecewiseCubic curve = to_table(table);
        return map(at, [&](double position) { return curve.value(position); });
      },
      "table"_a, "at"_a, "Value of a (knots, pieces) table at any positions.");
}

}  // namespace ceinms_torch::bindings
