/// @file dual.hpp
/// Forward-mode differentiation: a value and up to N partial derivatives over any number type.
#pragma once

#include "ceinms_torch/kernel/number.hpp"

#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace ceinms_torch::kernel {

template <std::size_t N>
  requires(N < 32)
inline constexpr unsigned all_partials = (1U << N) - 1U;

/// A number that carries partial derivatives with respect to N inputs.
///
/// `T` is the type of the value and of each partial: a number, another `Dual` or a tensor.
/// `Mask` says at compile time which partials can differ from zero: bit i for input i. Partials
/// outside the mask cost nothing, they are never touched; an operation on two duals has the
/// union of their masks. The default mask has all of them, for inputs chosen at run time.
template <class T, std::size_t N, unsigned Mask = all_partials<N>>
struct Dual {
  static constexpr unsigned mask = Mask;
  T value{};
  std::array<T, N> partial{};

  /// The input with number `index`, chosen at run time.
  static Dual variable(const T& value, const T& one, std::size_t index) {
    static_assert(Mask == all_partials<N>, "a masked input is made by kernel::variable");
    Dual result{value, {}};
    result.partial[index] = one;
    return result;
  }
  static Dual constant(const T& value) { return Dual{value, {}}; }
};

/// The input with number `I` of N, known at compile time.
template <std::size_t I, std::size_t N, class T>
Dual<T, N, 1U << I> variable(const T& value, const T& one) {
  Dual<T, N, 1U << I> result{value, {}};
  result.partial[I] = one;
  return result;
}

namespace detail {

template <unsigned Mask, std::size_t I>
inline constexpr bool in_mask = ((Mask >> I) & 1U) != 0U;

/// Call f(integral_constant<I>) for every I in the mask.
template <std::size_t N, unsigned Mask, class Function>
constexpr void for_partials(const Function& f) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (
        [&] {
          if constexpr (in_mask<Mask, I>) f(std::integral_constant<std::size_t, I>{});
        }(),
        ...);
  }(std::make_index_sequence<N>{});
}

/// Partials of f(x) by the chain rule, given f(x) and f'(x).
template <class T, std::size_t N, unsigned M, class Slope>
Dual<T, N, M> chain(const T& value, const Slope& slope, const Dual<T, N, M>& x) {
  Dual<T, N, M> result{value, {}};
  for_partials<N, M>([&](auto i) { result.partial[i] = slope * x.partial[i]; });
  return result;
}

/// Partials of f(a, b) by the chain rule, given f and its derivatives by a and by b.
template <class T, std::size_t N, unsigned A, unsigned B>
Dual<T, N, A | B> chain(const T& value, const T& by_a, const Dual<T, N, A>& a, const T& by_b,
                        const Dual<T, N, B>& b) {
  Dual<T, N, A | B> result{value, {}};
  for_partials<N, A | B>([&](auto i) {
    if constexpr (!in_mask<B, i>)
      result.partial[i] = by_a * a.partial[i];
    else if constexpr (!in_mask<A, i>)
      result.partial[i] = by_b * b.partial[i];
    else
      result.partial[i] = by_a * a.partial[i] + by_b * b.partial[i];
  });
  return result;
}

/// What may stand beside a Dual<T, N> as a constant: its own value type or a plain number.
template <class S, class T>
concept ConstantFor = std::is_same_v<S, T> || std::is_same_v<S, double>;

}  // namespace detail

template <class T, std::size_t N, unsigned A, unsigned B>
Dual<T, N, A | B> operator+(const Dual<T, N, A>& a, const Dual<T, N, B>& b) {
  Dual<T, N, A | B> result{a.value + b.value, {}};
  detail::for_partials<N, A | B>([&](auto i) {
    if constexpr (!detail::in_mask<B, i>)
      result.partial[i] = a.partial[i];
    else if constexpr (!detail::in_mask<A, i>)
      result.partial[i] = b.partial[i];
    else
      result.partial[i] = a.partial[i] + b.partial[i];
  });
  return result;
}

template <class T, std::size_t N, unsigned A, unsigned B>
Dual<T, N, A | B> operator-(const Dual<T, N, A>& a, const Dual<T, N, B>& b) {
  Dual<T, N, A | B> result{a.value - b.value, {}};
  detail::for_partials<N, A | B>([&](auto i) {
    if constexpr (!detail::in_mask<B, i>)
      result.partial[i] = a.partial[i];
    else if constexpr (!detail::in_mask<A, i>)
      result.partial[i] = -b.partial[i];
    else
      result.partial[i] = a.partial[i] - b.partial[i];
  });
  return result;
}

template <class T, std::size_t N, unsigned A, unsigned B>
Dual<T, N, A | B> operator*(const Dual<T, N, A>& a, const Dual<T, N, B>& b) {
  return detail::chain(T(a.value * b.value), b.value, a, a.value, b);
}

template <class T, std::size_t N, unsigned A, unsigned B>
Dual<T, N, A | B> operator/(const Dual<T, N, A>& a, const Dual<T, N, B>& b) {
  const T inverse = 1.0 / b.value;
  Dual<T, N, A | B> result{a.value * inverse, {}};
  detail::for_partials<N, A | B>([&](auto i) {
    if constexpr (!detail::in_mask<B, i>)
      result.partial[i] = inverse * a.partial[i];
    else if constexpr (!detail::in_mask<A, i>)
      result.partial[i] = -(inverse * result.value) * b.partial[i];
    else
      result.partial[i] = inverse * (a.partial[i] - result.value * b.partial[i]);
  });
  return result;
}

template <class T, std::size_t N, unsigned M>
Dual<T, N, M> operator-(const Dual<T, N, M>& a) {
  return detail::chain(T(-a.value), -1.0, a);
}

template <class T, std::size_t N, unsigned M, detail::ConstantFor<T> S>
Dual<T, N, M> operator+(const Dual<T, N, M>& a, const S& b) {
  return Dual<T, N, M>{a.value + b, a.partial};
}

template <class T, std::size_t N, unsigned M, detail::ConstantFor<T> S>
Dual<T, N, M> operator+(const S& a, const Dual<T, N, M>& b) {
  return b + a;
}

template <class T, std::size_t N, unsigned M, detail::ConstantFor<T> S>
Dual<T, N, M> operator-(const Dual<T, N, M>& a, const S& b) {
  return Dual<T, N, M>{a.value - b, a.partial};
}

template <class T, std::size_t N, unsigned M, detail::ConstantFor<T> S>
Dual<T, N, M> operator-(const S& a, const Dual<T, N, M>& b) {
  return detail::chain(T(a - b.value), -1.0, b);
}

template <class T, std::size_t N, unsigned M, detail::ConstantFor<T> S>
Dual<T, N, M> operator*(const Dual<T, N, M>& a, const S& b) {
  return detail::chain(T(a.value * b), b, a);
}

template <class T, std::size_t N, unsigned M, detail::ConstantFor<T> S>
Dual<T, N, M> operator*(const S& a, const Dual<T, N, M>& b) {
  return b * a;
}

template <class T, std::size_t N, unsigned M, detail::ConstantFor<T> S>
Dual<T, N, M> operator/(const Dual<T, N, M>& a, const S& b) {
  const S inverse = 1.0 / b;
  return detail::chain(T(a.value * inverse), inverse, a);
}

template <class T, std::size_t N, unsigned M, detail::ConstantFor<T> S>
Dual<T, N, M> operator/(const S& a, const Dual<T, N, M>& b) {
  const T inverse = 1.0 / b.value;
  const T value = a * inverse;
  return detail::chain(value, T(-value * inverse), b);
}

/// Comparisons look at values only; the result is whatever comparing two `T` gives.
template <class T, std::size_t N, unsigned A, unsigned B>
auto operator<(const Dual<T, N, A>& a, const Dual<T, N, B>& b) {
  return a.value < b.value;
}

template <class T, std::size_t N, unsigned M, detail::ConstantFor<T> S>
auto operator<(const Dual<T, N, M>& a, const S& b) {
  return a.value < b;
}

template <class T, std::size_t N, unsigned A, unsigned B>
auto operator>(const Dual<T, N, A>& a, const Dual<T, N, B>& b) {
  return a.value > b.value;
}

template <class T, std::size_t N, unsigned M, detail::ConstantFor<T> S>
auto operator>(const Dual<T, N, M>& a, const S& b) {
  return a.value > b;
}

template <class T, std::size_t N, unsigned M>
struct Number<Dual<T, N, M>> {
  using D = Dual<T, N, M>;

  static D exp(const D& x) {
    const T e = Number<T>::exp(x.value);
    return detail::chain(e, e, x);
  }
  static D pow(const D& x, double exponent) {
    return detail::chain(Number<T>::pow(x.value, exponent),
                         exponent * Number<T>::pow(x.value, exponent - 1.0), x);
  }
  static D sqrt(const D& x) {
    const T root = Number<T>::sqrt(x.value);
    return detail::chain(root, T(0.5 / root), x);
  }
  static D sin(const D& x) {
    // cos(x) = sin(x + pi/2): one customisation point less for every number type.
    constexpr double half_pi = 1.57079632679489661923;
    return detail::chain(Number<T>::sin(x.value), Number<T>::sin(x.value + half_pi), x);
  }
  static D asin(const D& x) {
    const T slope = 1.0 / Number<T>::sqrt(1.0 - x.value * x.value);
    return detail::chain(Number<T>::asin(x.value), slope, x);
  }
  static auto detach(const D& x) { return Number<T>::detach(x.value); }

  template <class Condition>
  static D select(const Condition& condition, const D& a, const D& b) {
    D result{Number<T>::select(condition, a.value, b.value), {}};
    detail::for_partials<N, M>([&](auto i) {
      result.partial[i] = Number<T>::select(condition, a.partial[i], b.partial[i]);
    });
    return result;
  }
  template <class Condition>
  static D select(const Condition& condition, const D& a, double b) {
    D result{Number<T>::select(condition, a.value, b), {}};
    detail::for_partials<N, M>(
        [&](auto i) { result.partial[i] = Number<T>::select(condition, a.partial[i], 0.0); });
    return result;
  }
  template <class Condition>
  static auto both(const Condition& a, const Condition& b) {
    return Number<T>::both(a, b);
  }
  template <class Condition>
  static bool all(const Condition& condition) {
    return Number<T>::all(condition);
  }

  template <class Table>
  static D lookup(const Table& table, const D& x) {
    const auto [value, slope] = Number<T>::lookup_with_slope(table, x.value);
    return detail::chain(value, slope, x);
  }
  /// Value and slope, both differentiable.
  template <class Table>
  static std::pair<D, D> lookup_with_slope(const Table& table, const D& x) {
    const auto [value, slope, curvature] = Number<T>::lookup_with_curvature(table, x.value);
    return {detail::chain(value, slope, x), detail::chain(slope, curvature, x)};
  }
};

namespace math {

/// A factor times a curve and its slope. The factor is multiplied as far inside as it can be, since
/// there are more partials than values.
template <class Table, class T>
std::pair<T, T> scaled_lookup_with_slope(const Table& table, const T& x, const T& factor) {
  const auto [value, slope] = Number<T>::lookup_with_slope(table, x);
  return {factor * value, factor * slope};
}

template <class Table, class T, std::size_t N, unsigned M>
std::pair<Dual<T, N, M>, Dual<T, N, M>> scaled_lookup_with_slope(const Table& table,
                                                                 const Dual<T, N, M>& x,
                                                                 const Dual<T, N, M>& factor) {
  const auto [value, slope, curvature] = Number<T>::lookup_with_curvature(table, x.value);
  const T scaled_slope = factor.value * slope;
  return {detail::chain(T(factor.value * value), scaled_slope, x, value, factor),
          detail::chain(scaled_slope, T(factor.value * curvature), x, slope, factor)};
}

/// A factor times a curve.
template <class Table, class T, std::size_t N, unsigned M, detail::ConstantFor<T> F>
Dual<T, N, M> scaled_lookup(const Table& table, const Dual<T, N, M>& x, const F& factor) {
  const auto [value, slope] = scaled_lookup_with_slope(table, x.value, T(factor));
  return detail::chain(value, slope, x);
}

template <class Table, class T, std::size_t N, unsigned A, unsigned B>
Dual<T, N, A | B> scaled_lookup(const Table& table, const Dual<T, N, A>& x,
                                const Dual<T, N, B>& factor) {
  const auto [value, slope] = Number<T>::lookup_with_slope(table, x.value);
  return detail::chain(T(factor.value * value), T(factor.value * slope), x, value, factor);
}

}  // namespace math
}  // namespace ceinms_torch::kernel
