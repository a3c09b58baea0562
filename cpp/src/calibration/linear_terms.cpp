#include "ceinms_torch/calibration/linear_terms.hpp"

#include <numeric>

namespace ceinms_torch::calibration {

LinearTerms::LinearTerms(std::vector<LinearTerm> terms, std::size_t n)
    : n_(n), terms_(std::move(terms)), square_sums_(terms_.size()) {
  if (!terms_.empty()) hessian_.resize(n * n);
  for (const LinearTerm& term : terms_) {
    residuals_.emplace_back(term.offset.size());
    for (std::size_t k = 0; k < term.offset.size(); ++k) {
      const double* row = term.matrix.data() + k * n;
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = i; j < n; ++j) hessian_[i * n + j] += 2.0 * row[i] * row[j];
    }
  }
}

void LinearTerms::measure(const double* x) {
  for (std::size_t t = 0; t < terms_.size(); ++t) {
    square_sums_[t] = 0.0;
    for (std::size_t k = 0; k < residuals_[t].size(); ++k) {
      const double* row = terms_[t].matrix.data() + k * n_;
      const double residual = std::inner_product(row, row + n_, x, -terms_[t].offset[k]);
      residuals_[t][k] = residual;
      square_sums_[t] += residual * residual;
    }
  }
}

void LinearTerms::add_gradient(double* gradient) const {
  for (std::size_t t = 0; t < terms_.size(); ++t)
    for (std::size_t k = 0; k < residuals_[t].size(); ++k)
      for (std::size_t i = 0; i < n_; ++i)
        gradient[i] += 2.0 * residuals_[t][k] * terms_[t].matrix[k * n_ + i];
}

void LinearTerms::add_matrix(double* matrix) const {
  if (terms_.empty()) return;
  for (std::size_t i = 0; i < n_; ++i)
    for (std::size_t j = i; j < n_; ++j) matrix[i * n_ + j] += hessian_[i * n_ + j];
}

void LinearTerms::append_rows(std::vector<double>& residual, std::vector<double>& jacobian) const {
  for (std::size_t t = 0; t < terms_.size(); ++t) {
    residual.insert(residual.end(), residuals_[t].begin(), residuals_[t].end());
    jacobian.insert(jacobian.end(), terms_[t].matrix.begin(), terms_[t].matrix.end());
  }
}

}  // namespace ceinms_torch::calibration
