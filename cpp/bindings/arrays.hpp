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
#include <vector>

namespace ceinms_torch::bindings {

using Array = py::array_t<double, py::array::c_style | py::array::forcecast>;
using Indices = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>;

using kernel::InputError;

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
  throw InputError(name, "a positive number", std::to_string(value));
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

inline void check_parameters(const Array& parameters, py::ssize_t n_mtu) {
  check_shape("parameters", parameters,
              {static_cast<py::ssize_t>(kernel::n_parameter_kind), n_mtu});
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
