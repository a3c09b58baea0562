/// @file number.hpp
/// What the muscle's equations need to know about a number type.
///
/// Every equation is written once, as a template on its number type: `double`,
/// `Dual<T, N>` (dual.hpp) or `at::Tensor` (tensor/number.hpp). Branches become
/// `select`, table look-ups become `lookup`; a new number type specialises `Number`
/// and every equation works on it. The functions of `math` are called qualified, so
/// that argument-dependent look-up cannot pick `at::select` or `std::exp` instead.
#pragma once

#include <cmath>
#include <type_traits>
#include <utility>

namespace ceinms_torch::kernel {

/// Customisation points of a number type; specialised per type.
template <class T>
struct Number;

template <>
struct Number<double> {
  static double exp(double x) noexcept { return std::exp(x); }
  static double sqrt(double x) noexcept { return std::sqrt(x); }
  static double pow(double x, double exponent) noexcept { return std::pow(x, exponent); }
  static double sin(double x) noexcept { return std::sin(x); }
  static double asin(double x) noexcept { return std::asin(x); }
  static double select(bool condition, double a, double b) noexcept { return condition ? a : b; }
  static bool both(bool a, bool b) noexcept { return a && b; }
  static bool all(bool condition) noexcept { return condition; }
  /// The value without its derivatives.
  static double detach(double x) noexcept { return x; }

  template <class Table>
  static double lookup(const Table& table, double x) noexcept {
    return table.value(x);
  }
  template <class Table>
  static std::pair<double, double> lookup_with_slope(const Table& table, double x) noexcept {
    return table.value_and_slope(x);
  }
  /// Value, slope and second derivative.
  template <class Table>
  static auto lookup_with_curvature(const Table& table, double x) noexcept {
    return table.value_slope_and_curvature(x);
  }
};

namespace math {

template <class T>
T exp(const T& x) {
  return Number<T>::exp(x);
}

template <class T>
T sqrt(const T& x) {
  return Number<T>::sqrt(x);
}

/// A power of a number above zero.
template <class T>
T pow(const T& x, double exponent) {
  if (exponent == 0.5) return sqrt(x);
  return exponent == 1.0 ? x : Number<T>::pow(x, exponent);
}

template <class T>
T sin(const T& x) {
  return Number<T>::sin(x);
}

template <class T>
T asin(const T& x) {
  return Number<T>::asin(x);
}

/// The value without its derivatives; for a Dual, the plain number inside.
template <class T>
auto detach(const T& x) {
  return Number<T>::detach(x);
}

/// A plain number as a T without derivatives: the way back from `detach`.
template <class T, class R>
T lift(const R& x) {
  if constexpr (std::is_same_v<T, R>) {
    return x;
  } else {
    return T::constant(lift<decltype(T::value)>(x));
  }
}

template <class T>
T square(const T& x) {
  return x * x;
}

/// `a` where `condition` holds, `b` elsewhere; both are evaluated, so neither may be NaN.
template <class Condition, class T>
T select(const Condition& condition, const T& a, const T& b) {
  return Number<T>::select(condition, a, b);
}

template <class Condition, class T>
  requires(!std::is_same_v<T, double>)
T select(const Condition& condition, const T& a, double b) {
  return Number<T>::select(condition, a, b);
}

template <class T, class Condition>
auto both(const Condition& a, const Condition& b) {
  return Number<T>::both(a, b);
}

/// True when `condition` holds for every element of a number type that has several.
template <class T, class Condition>
bool all(const Condition& condition) {
  return Number<T>::all(condition);
}

/// The larger of `x` and a constant; the derivative is zero where the constant wins.
template <class T>
T at_least(const T& x, double lowest) {
  return select(x > lowest, x, lowest);
}

/// The smaller of `x` and a constant; the derivative is zero where the constant wins alone.
template <class T>
T at_most(const T& x, double highest) {
  return select(x > highest, T(0.0 * x + highest), x);
}

template <class T>
T clamp(const T& x, double lowest, double highest) {
  return select(x > lowest, select(x < highest, x, highest), lowest);
}

/// Value of a tabulated curve at `x`.
template <class Table, class T>
T lookup(const Table& table, const T& x) {
  return Number<T>::lookup(table, x);
}

/// `factor` times a tabulated curve at `x`. For a Dual see dual.hpp.
template <class Table, class T, class F>
auto scaled_lookup(const Table& table, const T& x, const F& factor) {
  return factor * lookup(table, x);
}

}  // namespace math
}  // namespace ceinms_torch::kernel
