/// @file path_polynomial.hpp
/// The length of an MTU as a polynomial of coordinates, and its derivatives.
#pragma once

#include <array>
#include <cstddef>

namespace ceinms_torch::kernel {

/// A length [m] and its derivatives by n coordinates [m/rad]; moment arms are minus these.
template <class T, std::size_t n>
struct LengthAndSlopes {
  T length;
  std::array<T, n> slope;
};

/// A path may depend on so many coordinates, and its polynomial have such an order, at most.
inline constexpr std::size_t most_path_coordinates = 12;
inline constexpr std::size_t highest_path_order = 12;

/// How many q_1^e_1 ... q_n^e_n there are with e_1 + ... + e_n <= order.
constexpr std::size_t n_path_term(std::size_t n_coordinate, std::size_t order) noexcept {
  std::size_t result = 1;  // binomial(n + order, n), whole at every step
  for (std::size_t i = 1; i <= n_coordinate; ++i) result = result * (order + i) / i;
  return result;
}

/// Horner's rule, one coordinate inside the other: the factor of q_1^e is a polynomial of the other
/// coordinates, whose order is e less. Coefficients are in the order of OpenSim's
/// MultivariatePolynomialFunction, the exponent of the last coordinate running fastest: the highest
/// powers, where the rule begins, are at the end, and coefficients are taken from there backwards.
///
/// @param q         (n) coordinates [rad]
/// @param previous  gives the coefficient in front of the one that it gave last
template <std::size_t n, class T, class Previous>
LengthAndSlopes<T, n> path_polynomial(const T* q, std::size_t order, Previous& previous) {
  if constexpr (n == 1) {
    T length = previous();
    T slope = 0.0;
    for (std::size_t power = order; power > 0; --power) {
      slope = slope * q[0] + length;
      length = length * q[0] + previous();
    }
    return {length, {slope}};
  } else {
    auto [length, rest] = path_polynomial<n - 1>(q + 1, 0, previous);
    T slope = 0.0;
    for (std::size_t order_left = 1; order_left <= order; ++order_left) {
      const auto next = path_polynomial<n - 1>(q + 1, order_left, previous);
      slope = slope * q[0] + length;
      length = length * q[0] + next.length;
      for (std::size_t i = 0; i < n - 1; ++i) rest[i] = rest[i] * q[0] + next.slope[i];
    }
    LengthAndSlopes<T, n> result{length, {}};
    result.slope[0] = slope;
    for (std::size_t i = 0; i < n - 1; ++i) result.slope[i + 1] = rest[i];
    return result;
  }
}

}  // namespace ceinms_torch::kernel
