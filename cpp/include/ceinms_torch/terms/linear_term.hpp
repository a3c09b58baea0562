/// @file linear_term.hpp
/// Terms that know the point only: |A x - b|^2, x in the unit box. What their rows mean is the
/// business of who makes them (Python's calibration/problems/linear_terms.py).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace ceinms_torch::terms {

struct LinearTerm {
  std::string name;
  std::size_t n;               ///< components of x
  std::vector<double> matrix;  ///< A (n_row, n)
  std::vector<double> offset;  ///< b (n_row)
};

}  // namespace ceinms_torch::terms
