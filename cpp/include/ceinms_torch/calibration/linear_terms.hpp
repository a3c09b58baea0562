/// @file linear_terms.hpp
/// Terms of the objective that are linear least squares in the point itself: priors, coherence.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace ceinms_torch::calibration {

/// |matrix x - offset|^2. What its rows mean is the business of who makes them.
struct LinearTerm {
  std::string name;
  std::vector<double> matrix;  ///< (n_row, n)
  std::vector<double> offset;  ///< (n_row)
};

/// All such terms of a problem, at one point.
class LinearTerms {
 public:
  /// @param n  components of a point
  LinearTerms(std::vector<LinearTerm> terms, std::size_t n);

  const std::vector<LinearTerm>& terms() const noexcept { return terms_; }
  /// The terms at x (n), from which the other functions take their numbers.
  void measure(const double* x);
  /// Value of a term.
  double square_sum(std::size_t term) const noexcept { return square_sums_[term]; }
  /// Add the derivatives of all values to gradient (n).
  void add_gradient(double* gradient) const;
  /// Add the Gauss-Newton matrix, which is the Hessian, to the upper triangle of matrix (n, n).
  void add_matrix(double* matrix) const;
  /// Append a residual per row, and its derivatives (n).
  void append_rows(std::vector<double>& residual, std::vector<double>& jacobian) const;

 private:
  std::size_t n_;
  std::vector<LinearTerm> terms_;
  std::vector<double> hessian_;                 ///< (n, n), or nothing without terms
  std::vector<std::vector<double>> residuals_;  ///< by term
  std::vector<double> square_sums_;             ///< by term
};

}  // namespace ceinms_torch::calibration
