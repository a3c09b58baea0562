/// NumPy arrays in and out of the kernel.
#pragma once

#include "ceinms_torch/kernel/curves.hpp"
#include "ceinms_torch/kernel/input_error.hpp"
#include "ceinms_torch/kernel/parameters.hpp"
#include "pybind.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace ceinms_torch::bindings {

using Array = py::array_t<double, py::array::c_style | py::array::forcecast>;
using Indices = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>;

using kernel::InputError;

/// InputError unless numbers of this kind ('f', 'i' ... as NumPy has them) mean what they say as
/// the numbers that are asked for: NumPy would drop imaginary parts and decimals, and read texts.
inline void check_kind(const py::array& array, const char* kinds, const char* expected) {
  if (std::string_view(kinds).find(array.dtype().kind()) != std::string_view::npos) return;
  if (array.size() == 0) return;  // an empty list is of no kind
  throw InputError("array", expected, "values of dtype " + std::string(py::str(array.dtype())));
}

inline std::string shape_text(const py::ssize_t* begin, const py::ssize_t* end) {
  std::string result = "(";
  for (const py::ssize_t* size = begin; size != end; ++size)
    result += (size == begin ? "" : ", ") + std::to_string(*size);
  return result + ")";
}

inline std::string shape_of(const py::array& array) {
  return shape_text(array.shape(), array.shape() + array.ndim());
}

/// InputError unless `array` has the expected shape.
inline void check_shape(const char* name, const Array& array,
                        std::initializer_list<py::ssize_t> expected) {
  const bool fits = array.ndim() == static_cast<py::ssize_t>(expected.size()) &&
                    std::equal(expected.begin(), expected.end(), array.shape());
  if (fits) return;
  throw InputError(name, "shape " + shape_text(expected.begin(), expected.end()), shape_of(array));
}

/// InputError if a number is NaN or infinite.
inline void check_finite(const char* name, const Array& array) {
  if (std::all_of(array.data(), array.data() + array.size(),
                  [](double value) { return std::isfinite(value); }))
    return;
  throw InputError(name, "finite numbers", "NaN or infinity");
}

inline void check_positive(const char* name, double value) {
  if (std::isfinite(value) && value > 0.0) return;
  throw InputError(name, "a positive number", kernel::number_text(value));
}

inline void check_number(const char* name, double value) {
  if (std::isfinite(value)) return;
  throw InputError(name, "a finite number", "NaN or infinity");
}

inline void check_increasing(const char* name, const Array& array) {
  const double* end = array.data() + array.size();
  if (std::adjacent_find(array.data(), end, [](double a, double b) { return !(b > a); }) == end)
    return;
  throw InputError(name, "to increase strictly", "a step that does not");
}

/// InputError unless `parameters` are those of so many MTUs, and numbers.
inline void check_parameters(const Array& parameters, py::ssize_t n_mtu) {
  check_shape("parameters", parameters,
              {static_cast<py::ssize_t>(kernel::n_parameter_kind), n_mtu});
  check_finite("parameters", parameters);
}

inline std::vector<double> to_vector(const Array& array) {
  return {array.data(), array.data() + array.size()};
}

inline std::vector<std::size_t> to_indices(const Indices& array) {
  return {array.data(), array.data() + array.size()};
}

inline void check_indices(const char* name, const Indices& array, py::ssize_t size) {
  for (py::ssize_t i = 0; i < array.size(); ++i)
    if (array.data()[i] < 0 || array.data()[i] >= size)
      throw InputError(name, "indices from 0 to " + std::to_string(size - 1),
                       std::to_string(array.data()[i]));
}

/// The same as sizes, once they are known to be below `size`.
inline std::vector<std::size_t> to_indices(const char* name, const Indices& array,
                                           py::ssize_t size) {
  check_indices(name, array, size);
  return to_indices(array);
}

inline void check_unique(const char* name, const Indices& array) {
  std::vector<std::size_t> sorted = to_indices(array);
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end())
    throw InputError(name, "different indices", std::to_string(*twice) + " twice");
}

inline Array to_array(const std::vector<double>& values) {
  return Array(static_cast<py::ssize_t>(values.size()), values.data());
}

/// The same as a table of so many rows.
inline Array to_array(const std::vector<double>& values, std::size_t n_row, std::size_t n_column) {
  return Array({n_row, n_column}, values.data());
}

/// A PiecewiseCubic as Python holds it: knots (n) and pieces (n + 1, 5).
using TableArrays = std::pair<Array, Array>;

TableArrays to_arrays(const kernel::PiecewiseCubic& table);
kernel::PiecewiseCubic to_table(const TableArrays& arrays);

/// The four curves in the order active, passive, force-velocity, tendon.
using Tables = std::array<TableArrays, 4>;

inline kernel::MtuCurves<kernel::PiecewiseCubic> to_curves(const Tables& tables) {
  return {to_table(tables[0]), to_table(tables[1]), to_table(tables[2]), to_table(tables[3])};
}

}  // namespace ceinms_torch::bindings

/// Arrays of numbers as arguments, once check_kind has seen them.
template <class T>
struct pybind11::detail::pyobject_caster<
    pybind11::array_t<T, pybind11::array::c_style | pybind11::array::forcecast>> {
  using type = array_t<T, array::c_style | array::forcecast>;

  bool load(handle source, bool convert) {
    if (!convert && !type::check_(source)) return false;
    const array any = array::ensure(source);
    if (!any) return false;
    using ceinms_torch::bindings::check_kind;
    if constexpr (std::is_same_v<T, bool>)
      check_kind(any, "b", "true or false");
    else if constexpr (std::is_integral_v<T>)
      check_kind(any, "iu", "whole numbers");
    else
      check_kind(any, "fiub", "real numbers");
    value = type::ensure(any);
    return static_cast<bool>(value);
  }
  static handle cast(const handle& source, return_value_policy, handle) { return source.inc_ref(); }
  PYBIND11_TYPE_CASTER(type, handle_type_name<type>::name);
};
