/// The Forsythe-Malcolm-Moler spline of reference C.2 and the table made of it.
#include "ceinms_torch/kernel/spline.hpp"
#include "helpers.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace ceinms_torch::kernel {
namespace {

using namespace testing;
using Vector = std::vector<double>;

/// Gaussian elimination with partial pivoting.
Vector solve_dense(std::vector<Vector> matrix, Vector right) {
  const std::size_t n = right.size();
  for (std::size_t column = 0; column < n; ++column) {
    std::size_t pivot = column;
    for (std::size_t row = column; row < n; ++row)
      if (std::abs(matrix[row][column]) > std::abs(matrix[pivot][column])) pivot = row;
    std::swap(matrix[pivot], matrix[column]);
    std::swap(right[pivot], right[column]);
    for (std::size_t row = column + 1; row < n; ++row) {
      const double factor = matrix[row][column] / matrix[column][column];
      for (std::size_t k = column; k < n; ++k) matrix[row][k] -= factor * matrix[column][k];
      right[row] -= factor * right[column];
    }
  }
  for (std::size_t row = n; row-- > 0;) {
    for (std::size_t k = row + 1; k < n; ++k) right[row] -= matrix[row][k] * right[k];
    right[row] /= matrix[row][row];
  }
  return right;
}

/// Third derivative of the cubic through four points, from its Vandermonde system.
double third_derivative(const Points& points, std::size_t first) {
  std::vector<Vector> matrix;
  Vector right;
  for (std::size_t i = first; i < first + 4; ++i) {
    const double d = points.x[i] - points.x[first];
    matrix.push_back({1.0, d, d * d, d * d * d});
    right.push_back(points.y[i]);
  }
  return 6.0 * solve_dense(matrix, right)[3];
}

/// The spline's definition as one dense linear system for the four coefficients of every piece:
/// both ends of every piece on its points, slope and curvature continuous, third derivative of
/// the first (last) piece that of the cubic through the first (last) four points.
Vector dense_spline(const Points& points) {
  const std::size_t n_piece = points.x.size() - 1;
  const std::size_t size = 4 * n_piece;
  std::vector<Vector> matrix;
  Vector right;
  const auto add = [&](double value) -> Vector& {
    right.push_back(value);
    return matrix.emplace_back(size, 0.0);
  };
  for (std::size_t i = 0; i < n_piece; ++i) {
    const double h = points.x[i + 1] - points.x[i];
    const std::size_t c = 4 * i;
    add(points.y[i])[c] = 1.0;
    Vector& end = add(points.y[i + 1]);
    for (std::size_t k = 0; k < 4; ++k) end[c + k] = std::pow(h, static_cast<double>(k));
    if (i + 1 == n_piece) continue;
    Vector& slope = add(0.0);
    slope[c + 1] = 1.0;
    slope[c + 2] = 2.0 * h;
    slope[c + 3] = 3.0 * h * h;
    slope[c + 5] = -1.0;
    Vector& curvature = add(0.0);
    curvature[c + 2] = 2.0;
    curvature[c + 3] = 6.0 * h;
    curvature[c + 6] = -2.0;
  }
  add(third_derivative(points, 0))[3] = 6.0;
  add(third_derivative(points, points.x.size() - 4))[size - 1] = 6.0;
  return solve_dense(matrix, right);
}

std::vector<Points> all_manual_points() {
  const ManualPoints points;
  return {points.active_force_length, points.passive_force_length, points.force_velocity,
          points.tendon_force_strain};
}

const Points uneven{{-1.0, -0.4, 0.3, 0.5, 1.4, 2.0, 3.3}, {0.3, -0.2, 0.9, 1.1, -0.7, 0.4, 0.5}};

double cubic(double x) {
  return 0.7 - x * (1.1 - x * (0.4 + 0.3 * x));
}
double cubic_slope(double x) {
  return -1.1 + x * (0.8 + 0.9 * x);
}

Points sample(double (*function)(double), const Vector& x) {
  Points points{x, x};
  std::transform(x.begin(), x.end(), points.y.begin(), function);
  return points;
}

TEST_CASE("spline: passes through its points") {
  std::vector<Points> curves = all_manual_points();
  curves.push_back(uneven);
  for (const Points& points : curves) {
    const CubicSpline spline = spline_through(points);
    for (std::size_t i = 0; i < points.x.size(); ++i) {
      CAPTURE(points.x[i]);
      // 1e-12: curvatures of 1e3 and intervals of 10 amplify the rounding of the system.
      CHECK(spline.value(points.x[i]) == near(points.y[i], 1e-12));
    }
  }
}

TEST_CASE("spline: four points or more reproduce a cubic exactly") {
  for (const Vector& x : {Vector{-1.0, -0.2, 0.9, 1.5}, Vector{-1.0, -0.7, 0.2, 0.3, 1.1, 2.0}}) {
    const CubicSpline spline = spline_through(sample(cubic, x));
    for (double at = x.front(); at <= x.back(); at += 0.01) {
      CAPTURE(at);
      // Rounding of a well-conditioned system.
      CHECK(spline.value(at) == near(cubic(at), 1e-13));
      CHECK(spline.derivative(at) == near(cubic_slope(at), 1e-12));
    }
  }
}

TEST_CASE("spline: three points give the parabola through them") {
  // Reference C.2: right-hand sides 0 and diagonals -h at both ends make all curvatures equal.
  const auto parabola = [](double x) { return 1.0 + x * (2.0 - 0.5 * x); };
  const CubicSpline spline = spline_through(sample(parabola, {-1.0, 0.5, 1.2}));
  for (const double x : {-0.9, 0.0, 0.5, 1.1}) {
    CHECK(spline.value(x) == near(parabola(x), 1e-14));
    CHECK(spline.derivative(x) == near(2.0 - x, 1e-14));
  }
}

TEST_CASE("spline: two points give a straight line, one a constant") {
  const CubicSpline line = spline_through({{1.0, 3.0}, {2.0, 5.0}});
  CHECK(line.value(1.0) == 2.0);
  CHECK(line.value(2.5) == 4.25);
  CHECK(line.value(9.0) == 5.0);
  for (const double x : {0.0, 1.0, 2.0, 3.0, 4.0}) CHECK(line.derivative(x) == 1.5);

  const CubicSpline point = spline_through({{1.0}, {2.0}});
  for (const double x : {0.0, 1.0, 2.0}) {
    CHECK(point.value(x) == 2.0);  // the original returns 1, the x (quirk F31)
    CHECK(point.derivative(x) == 0.0);
    for (const Ends ends : {Ends::constant, Ends::linear}) {
      CHECK(point.table(ends).value(x) == 2.0);
      CHECK(point.table(ends).slope(x) == 0.0);
    }
  }
}

TEST_CASE("spline: outside, the value is constant and the derivative the end slope") {
  const CubicSpline spline = spline_through(sample(cubic, {-1.0, -0.2, 0.9, 1.5}));
  for (const double distance : {0.0, 0.3, 100.0}) {
    CHECK(spline.value(-1.0 - distance) == near(cubic(-1.0), 1e-15));
    CHECK(spline.value(1.5 + distance) == near(cubic(1.5), 1e-15));
    CHECK(spline.derivative(-1.0 - distance) == near(cubic_slope(-1.0), 1e-13));
    CHECK(spline.derivative(1.5 + distance) == near(cubic_slope(1.5), 1e-13));
  }
}

TEST_CASE("spline: equals the dense solution of its defining conditions") {
  std::vector<Points> curves = all_manual_points();
  curves.push_back(uneven);
  for (const Points& points : curves) {
    const Vector expected = dense_spline(points);
    const PiecewiseCubic table = spline_through(points).table(Ends::constant);
    for (std::size_t i = 0; i + 1 < points.x.size(); ++i) {
      const CubicPiece& piece = table.pieces[i + 1];
      const double h = points.x[i + 1] - points.x[i];
      CHECK(piece.origin == points.x[i]);
      for (std::size_t k = 0; k < 4; ++k) {
        CAPTURE(i);
        CAPTURE(k);
        // As contributions to the value at the end of the piece: coefficients alone reach 1e5.
        // Intervals from 1e-3 to 1e1 condition the dense system badly (powers up to h^3).
        const double scale = std::pow(h, static_cast<double>(k));
        CHECK(piece.c[k] * scale == near(expected[4 * i + k] * scale, 1e-9));
      }
    }
  }
}

TEST_CASE("table: a knot belongs to the piece on its left") {
  const PiecewiseCubic steps{{0.0, 1.0}, {{0.0, {10.0}}, {0.0, {20.0}}, {1.0, {30.0}}}};
  CHECK(steps.value(-0.1) == 10.0);
  CHECK(steps.value(0.0) == 10.0);
  CHECK(steps.value(std::nextafter(0.0, 1.0)) == 20.0);
  CHECK(steps.value(1.0) == 20.0);
  CHECK(steps.value(std::nextafter(1.0, 2.0)) == 30.0);

  // The spline itself: the third derivative jumps at a knot, and the cubic on the left is used.
  const CubicSpline spline = spline_through(uneven);
  const PiecewiseCubic table = spline.table(Ends::constant);
  for (std::size_t i = 1; i + 1 < uneven.x.size(); ++i) {
    CHECK(spline.value(uneven.x[i]) == table.pieces[i].value(uneven.x[i]));
    CHECK(spline.derivative(uneven.x[i]) == table.pieces[i].slope(uneven.x[i]));
  }
}

TEST_CASE("table: equals the spline, and its slope is the derivative of its value everywhere") {
  for (const Points& points : {uneven, ManualPoints{}.force_velocity}) {
    const CubicSpline spline = spline_through(points);
    const double first = points.x.front();
    const double last = points.x.back();
    for (const Ends ends : {Ends::constant, Ends::linear}) {
      const PiecewiseCubic table = spline.table(ends);
      REQUIRE(table.knots == points.x);
      REQUIRE(table.pieces.size() == points.x.size() + 1);
      const double width = last - first;
      // 173 intervals from 0.5 widths below to 0.5 widths above: off the knots.
      for (int i = 0; i <= 173; ++i) {
        const double x = first + width * (2.0 * i / 173.0 - 0.5);
        const auto [value, slope] = table.value_and_slope(x);
        CAPTURE(x);
        CHECK(table.value(x) == value);
        CHECK(table.slope(x) == slope);
        // Exact for cubics but for rounding, 1e-16 / step.
        CHECK(slope ==
              near(central_difference([&](double s) { return table.value(s); }, x, 1e-5), 1e-9));
        const bool inside = first < x && x < last;
        if (inside || ends == Ends::constant) CHECK(value == spline.value(x));
        if (inside || ends == Ends::linear) CHECK(slope == spline.derivative(x));
        if (!inside && ends == Ends::constant) CHECK(slope == 0.0);
      }
      CHECK(table.value(first) == points.y.front());
      CHECK(table.value(last) == near(points.y.back(), 1e-12));
      const double above = table.value(last + 1.0) - table.value(last);
      CHECK(above == near(ends == Ends::linear ? spline.derivative(last) : 0.0, 1e-12));
    }
  }
}

TEST_CASE("table: its curvature is the derivative of its slope") {
  const PiecewiseCubic table = spline_through(uneven).table(Ends::linear);
  for (double x = -1.473; x < 4.0; x += 0.1) {
    CAPTURE(x);
    const auto [value, slope, curvature] = table.value_slope_and_curvature(x);
    CHECK(value == table.value(x));
    CHECK(slope == table.slope(x));
    // The slope is a parabola: exact but for rounding, 1e-16 / step, with curvatures of 50.
    CHECK(curvature ==
          near(central_difference([&](double s) { return table.slope(s); }, x, 1e-4), 1e-10));
  }
}

TEST_CASE("spline: the manual's curves overshoot as reference C.2 says, by little") {
  const ManualPoints points;
  const auto lowest = [](const Points& curve, double from, double to) {
    const CubicSpline spline = spline_through(curve);
    double result = spline.value(from);
    for (double x = from; x < to; x += 1e-3) result = std::min(result, spline.value(x));
    return result;
  };
  const double active = lowest(points.active_force_length, 0.0, 0.45);
  CHECK(active < 0.0);
  CHECK(active > -2e-4);
  const double passive = lowest(points.passive_force_length, -5.0, 1.05);
  CHECK(passive < 0.0);
  CHECK(passive > -1e-3);
}

}  // namespace
}  // namespace ceinms_torch::kernel
