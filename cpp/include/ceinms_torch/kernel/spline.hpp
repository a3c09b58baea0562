/// @file spline.hpp
/// The cubic spline that CEINMS draws through a curve's points, and the table it becomes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace ceinms_torch::kernel {

/// Coefficients of one cubic piece: c0 + c1 d + c2 d^2 + c3 d^3 with d = x - origin.
struct CubicPiece {
  double origin = 0.0;
  std::array<double, 4> c{};

  double value(double x) const noexcept {
    const double d = x - origin;
    return c[0] + d * (c[1] + d * (c[2] + d * c[3]));
  }
  double slope(double x) const noexcept {
    const double d = x - origin;
    return c[1] + d * (2.0 * c[2] + 3.0 * d * c[3]);
  }
  double curvature(double x) const noexcept { return 2.0 * c[2] + 6.0 * (x - origin) * c[3]; }
};

/// A function made of cubic pieces between knots, with one more piece beyond either end.
///
/// Piece 0 serves x <= knots[0], piece i serves knots[i-1] < x <= knots[i], and the last piece
/// x > knots.back(): a knot belongs to the piece on its left, as in CEINMS (reference C.2).
/// `slope` is the derivative of `value` everywhere, also outside the knots.
struct PiecewiseCubic {
  std::vector<double> knots;
  std::vector<CubicPiece> pieces;  ///< knots.size() + 1 of them

  /// Numbers of a piece as arrays hold it: origin and four coefficients.
  static constexpr std::size_t n_column = 5;
  /// @param knots   (n_knot)
  /// @param pieces  (n_knot + 1, n_column)
  static PiecewiseCubic of(std::span<const double> knots, const double* pieces) {
    PiecewiseCubic result{{knots.begin(), knots.end()}, {}};
    for (std::size_t i = 0; i <= knots.size(); ++i, pieces += n_column)
      result.pieces.push_back({pieces[0], {pieces[1], pieces[2], pieces[3], pieces[4]}});
    return result;
  }

  const CubicPiece& piece_at(double x) const noexcept {
    const auto knot = std::lower_bound(knots.begin(), knots.end(), x);
    return pieces[static_cast<std::size_t>(knot - knots.begin())];
  }
  double value(double x) const noexcept { return piece_at(x).value(x); }
  double slope(double x) const noexcept { return piece_at(x).slope(x); }
  std::pair<double, double> value_and_slope(double x) const noexcept {
    const CubicPiece& piece = piece_at(x);
    return {piece.value(x), piece.slope(x)};
  }
  std::array<double, 3> value_slope_and_curvature(double x) const noexcept {
    const CubicPiece& piece = piece_at(x);
    return {piece.value(x), piece.slope(x), piece.curvature(x)};
  }
};

/// What a table does beyond its first and last point.
enum class Ends {
  constant,  ///< keep the end value (CEINMS)
  linear     ///< go on with the end slope (so that gradients do not vanish)
};

/// Cubic spline of Forsythe, Malcolm & Moler (1977) through (x, y); reference C.2.
///
/// The third derivative at either end is that of the cubic through the four points next to it
/// (three points: the quadratic's end conditions of the book; two: a straight line; one: the
/// constant y, where the original returns x by mistake, quirk F31).
///
/// @param x n knots, strictly increasing
/// @param y n values
class CubicSpline {
 public:
  CubicSpline(std::span<const double> x, std::span<const double> y);

  /// Value; outside the knots the end value.
  double value(double x) const noexcept;
  /// First derivative as CEINMS returns it: outside the knots the slope at the end,
  /// although the value is constant there.
  double derivative(double x) const noexcept;
  /// The spline as a table for the muscle's curves.
  PiecewiseCubic table(Ends ends) const;

 private:
  const CubicPiece& piece_at(double x) const noexcept;

  std::vector<double> x_;
  std::vector<double> y_;
  std::vector<CubicPiece> pieces_;  ///< one per interval
};

}  // namespace ceinms_torch::kernel
