/// Dense linear algebra on every instruction set, and the step in a box that is made of it.
#include "ceinms_torch/calibration/box_step.hpp"
#include "helpers.hpp"

#include <algorithm>
#include <limits>
#include <vector>

namespace ceinms_torch::calibration {
namespace {

using namespace kernel::testing;
using engine::AlignedBuffer;
using engine::Backend;
using Vector = std::vector<double>;

// ---- Dense algebra

TEST_CASE("products of rows") {
  Random random;
  for (const Backend* backend : engine::backends())
    for (std::size_t n = 1; n < 40; n = n < 14 ? n + 1 : n + 11)
      for (const std::size_t n_pack : {std::size_t{1}, std::size_t{7}, std::size_t{140}})
        for (const std::size_t first : {std::size_t{0}, engine::gram_tile}) {
          const std::size_t length = n_pack * backend->width;
          const std::size_t stride = length + 3;
          AlignedBuffer rows(n * stride);
          for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = random.between(-1.0, 1.0);
          Vector gram(n * n, 2.0);
          const std::size_t end = std::min(n, first + 5 * engine::gram_tile);
          backend->dense->add_gram(rows.data(), n, stride, length, first, end, gram.data());
          for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = i; j < n; ++j) {
              double expected = 2.0;
              if (i >= first && i < end)
                for (std::size_t k = 0; k < length; ++k)
                  expected += rows[i * stride + k] * rows[j * stride + k];
              REQUIRE(gram[i * n + j] == near(expected, 1e-13));
            }
        }
}

/// A positive definite matrix (n, n).
Vector definite(std::size_t n, Random& random) {
  Vector root(n * n), result(n * n);
  for (double& x : root) x = random.between(-1.0, 1.0);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t k = 0; k < n; ++k) result[i * n + j] += root[k * n + i] * root[k * n + j];
      if (i == j) result[i * n + j] += 0.1;
    }
  return result;
}

Vector product(const Vector& matrix, const Vector& x) {
  Vector result(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    for (std::size_t j = 0; j < x.size(); ++j) result[i] += matrix[i * x.size() + j] * x[j];
  return result;
}

/// Only the upper triangle, with numbers below that nobody may read.
Vector upper(Vector matrix, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < i; ++j) matrix[i * n + j] = 1e30;
  return matrix;
}

TEST_CASE("equations are solved") {
  Random random;
  for (const Backend* backend : engine::backends())
    for (const std::size_t n : {std::size_t{1}, std::size_t{7}, std::size_t{65}}) {
      const Vector matrix = definite(n, random);
      Vector x(n);
      for (double& one : x) one = random.between(-1.0, 1.0);
      const Vector right = product(matrix, x);
      Vector got(n);
      backend->dense->multiply(upper(matrix, n).data(), n, x.data(), got.data());
      for (std::size_t i = 0; i < n; ++i) REQUIRE(got[i] == near(right[i], 1e-12));

      Vector factor = upper(matrix, n);
      REQUIRE(backend->dense->factor(factor.data(), n, n));
      Vector rows(2 * n);
      for (std::size_t i = 0; i < n; ++i) rows[n + i] = -2.0 * (rows[i] = right[i]);
      backend->dense->solve_transposed(factor.data(), n, n, rows.data(), 2);
      backend->dense->solve(factor.data(), n, n, rows.data(), 2);
      // The condition is below 1e4.
      for (std::size_t i = 0; i < n; ++i) {
        REQUIRE(rows[i] == near(x[i], 1e-11));
        REQUIRE(rows[n + i] == near(-2.0 * x[i], 1e-11));
      }
      for (const double bad : {-1.0, std::numeric_limits<double>::quiet_NaN()}) {
        factor = upper(matrix, n);
        factor[n - 1] = factor[(n - 1) * n + n - 1] = bad;
        REQUIRE_FALSE(backend->dense->factor(factor.data(), n, n));
      }
    }
}

// ---- The step

/// A model whose minimum is far outside the box for some share of the components.
struct Model {
  std::size_t n;
  Vector x, gradient, matrix, upper_matrix, damping;

  Model(std::size_t size, double reach, Random& random)
      : n(size), x(n), gradient(n), matrix(definite(n, random)), damping(n) {
    upper_matrix = upper(matrix, n);
    Vector minimum(n);
    for (std::size_t i = 0; i < n; ++i) {
      x[i] = std::clamp(random.between(-0.2, 1.2), 0.0, 1.0);
      minimum[i] = random.between(-reach, reach);
      damping[i] = 0.01 * matrix[i * n + i];
    }
    gradient = product(matrix, minimum);
    for (double& g : gradient) g = -g;
  }

  QuadraticModel quadratic() const { return {x.data(), gradient.data(), upper_matrix.data()}; }
  double damped(std::size_t i, std::size_t j) const {
    return matrix[i * n + j] + (i == j ? damping[i] : 0.0);
  }

  /// Slope of the damped model at a step.
  Vector slope(const Vector& step) const {
    Vector result = product(matrix, step);
    for (std::size_t i = 0; i < n; ++i) result[i] += gradient[i] + damping[i] * step[i];
    return result;
  }

  /// The step as its comment says, by Gaussian elimination from the start in every round.
  Vector reference() const {
    Vector step(n);
    std::vector<bool> is_free(n);
    for (std::size_t i = 0; i < n; ++i)
      is_free[i] = !((x[i] <= 0.0 && gradient[i] > 0.0) || (x[i] >= 1.0 && gradient[i] < 0.0));
    for (bool inside = false; !inside;) {
      std::vector<std::size_t> free;
      for (std::size_t i = 0; i < n; ++i)
        if (is_free[i]) free.push_back(i);
      const std::size_t m = free.size();
      Vector a(m * m), b(m);
      for (std::size_t r = 0; r < m; ++r) {
        b[r] = -gradient[free[r]];
        for (std::size_t j = 0; j < n; ++j)
          if (!is_free[j]) b[r] -= damped(free[r], j) * step[j];
        for (std::size_t c = 0; c < m; ++c) a[r * m + c] = damped(free[r], free[c]);
      }
      for (std::size_t k = 0; k < m; ++k)
        for (std::size_t r = k + 1; r < m; ++r) {
          const double share = a[r * m + k] / a[k * m + k];
          for (std::size_t c = k; c < m; ++c) a[r * m + c] -= share * a[k * m + c];
          b[r] -= share * b[k];
        }
      inside = true;
      for (std::size_t k = m; k-- > 0;) {
        for (std::size_t c = k + 1; c < m; ++c) b[k] -= a[k * m + c] * b[c];
        b[k] /= a[k * m + k];
      }
      for (std::size_t r = 0; r < m; ++r) {
        const std::size_t i = free[r];
        const double target = x[i] + b[r];
        step[i] = std::clamp(target, 0.0, 1.0) - x[i];
        if (target >= 0.0 && target <= 1.0) continue;
        is_free[i] = inside = false;
      }
    }
    return step;
  }
};

TEST_CASE("the step in a box") {
  Random random;
  for (const Backend* backend : engine::backends())
    for (const std::size_t n : {std::size_t{1}, std::size_t{6}, std::size_t{30}, std::size_t{90}}) {
      BoxStep box(*backend, n);
      // From no component outside, over a few, which border the factor, to most.
      for (const double reach : {0.001, 0.3, 1.0, 4.0}) {
        const Model model(n, reach, random);
        REQUIRE(box.solve(model.quadratic(), model.damping));
        const Vector step(box.step().data(), box.step().data() + n);
        const Vector expected = model.reference();
        const Vector slope = model.slope(step);
        double fall = 0.0;
        const Vector by_matrix = product(model.matrix, step);
        for (std::size_t i = 0; i < n; ++i) {
          CAPTURE(n);
          CAPTURE(reach);
          CAPTURE(i);
          REQUIRE(step[i] == near(expected[i], 1e-9));
          // What is inside the box is where the slope is zero, the rest at its bound.
          const double end = model.x[i] + step[i];
          REQUIRE(end >= -1e-15);
          REQUIRE(end <= 1.0 + 1e-15);
          const bool is_inside = end > 1e-12 && end < 1.0 - 1e-12;
          if (is_inside) REQUIRE(slope[i] == near(0.0, 1e-8));
          fall -= step[i] * (model.gradient[i] + 0.5 * by_matrix[i]);
        }
        REQUIRE(box.fall(model.quadratic()) == near(fall, 1e-10));
      }
    }
}

TEST_CASE("no step without a positive definite matrix") {
  Random random;
  for (const Backend* backend : engine::backends()) {
    Model model(8, 0.3, random);
    for (double& x : model.x) x = 0.5;
    BoxStep box(*backend, model.n);
    model.upper_matrix[0] = -1.0;
    REQUIRE_FALSE(box.solve(model.quadratic(), model.damping));
    model.upper_matrix[0] = model.matrix[0];
    REQUIRE(box.solve(model.quadratic(), model.damping));
  }
}

TEST_CASE("a step that every component is kept from") {
  for (const Backend* backend : engine::backends()) {
    const Vector x{0.0, 1.0}, gradient{1.0, -1.0}, matrix{1.0, 0.5, 0.5, 1.0}, damping{0.0, 0.0};
    BoxStep box(*backend, 2);
    REQUIRE(box.solve({x.data(), gradient.data(), matrix.data()}, damping));
    REQUIRE(box.step()[0] == 0.0);
    REQUIRE(box.step()[1] == 0.0);
  }
}

}  // namespace
}  // namespace ceinms_torch::calibration
