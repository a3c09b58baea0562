/// NumPy arrays in and out of the kernel.
#pragma once

#include "ceinms_torch/kernel/curves.hpp"
#include "pybind.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <vector>

namespace ceinms_torch::bindings {

using Array = py::array_t<double, py::array::c_style | py::array::forcecast>;
using Indices = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>;

/// std::invalid_argument (ValueError) unless `array` has the expected shape.
inline void check_shape(const char* name, const Array& array,
                        std::initializer_list<py::ssize_t> expected) {
  const bool fits = array.ndim() == static_cast<py::ssize_t>(expected.size()) &&
                    std::equal(expected.begin(), expected.end(), array.shape());
  if (fits) return;
  const auto text = [](const py::ssize_t* begin, const py::ssize_t* end) {
    std::string result = "(";
    for (const py::ssize_t* size = begin; size != end; ++size)
      result += (size == begin ? "" : ", ") + std::to_string(*size);
    return result + ")";
  };
  throw std::invalid_argument(std::string(name) + ": expected shape " +
                              text(expected.begin(), expected.end()) + ", got " +
                              text(array.shape(), array.shape() + array.ndim()) + ".");
}

/// std::invalid_argument (ValueError) if a number is NaN or infinite.
inline void check_finite(const char* name, const Array& array) {
  if (std::all_of(array.data(), array.data() + array.size(),
                  [](double value) { return std::isfinite(value); }))
    return;
  throw std::invalid_argument(std::string(name) +
                              ": expected finite numbers, got NaN or infinity.");
}

inline void check_positive(const char* name, double value) {
  if (std::isfinite(value) && value > 0.0) return;
  throw std::invalid_argument(std::string(name) + ": expected a positive number, got " +
                              std::to_string(value) + ".");
}

inline void check_number(const char* name, double value) {
  if (std::isfinite(value)) return;
  throw std::invalid_argument(std::string(name) +
                              ": expected a finite number, got NaN or infinity.");
}

inline void check_increasing(const char* name, const Array& array) {
  const double* end = array.data() + array.size();
  if (std::adjacent_find(array.data(), end, [](double a, double b) { return !(b > a); }) == end)
    return;
  throw std::invalid_argument(std::string(name) +
                              ": expected to increase strictly, got a step that does not.");
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
      throw std::invalid_argument(std::string(name) + ": expected indices from 0 to " +
                                  std::to_string(size - 1) + ", got " +
                                  std::to_string(array.data()[i]) + ".");
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
    throw std::invalid_argument(std::string(name) + ": expected different indices, got " +
                                std::to_string(*twice) + " twice.");
}

inline Array to_array(const std::vector<double>& values) {
  Array array(static_cast<py::ssize_t>(values.size()));
  std::copy(values.begin(), values.end(), array.mutable_data());
  return array;
}

/// A PiecewiseCubic as Python holds it: knots (n) and pieces (n + 1, 5).
using TableArrays = std::pair<Array, Array>;

TableArrays to_arrays(const kernel::PiecewiseCubic& table);
kernel::PiecewiseCubic to_table(const TableArrays& arrays);

}  // namespace ceinms_torch::bindings
