/// @file dual.hpp
/// Forward-mode differentiation: a value and N partial derivatives over any number type.
#pragma once

#include "ceinms_torch/kernel/number.hpp"

#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace ceinms_torch::kernel {

/// A number that carries its partial derivatives with respect to N inputs.
///
/// `T` is the type of the value and of each partial: `double`, another `Dual` or a tensor.
/// A partial that nothing has touched stays `T{}`. For tensors that is the undefined tensor,
/// a structural zero that costs no operation (`Number<T>::is_zero`).
template <class T, std::size_t N>
struct Dual {
  T value{};
  std::array<T, N> partial{};

  /// An input: the variable with number `index`.
  static Dual variable(const T& value, const T& one, std::size_t index) {
    Dual result{value, {}};
    result.partial[index] = one;
    return result;
  }
  static Dual constant(const T& value) { return Dual{value, {}}; }
};

namespace detail {

template <class T, class Factor>
T scaled(const Factor& factor, const T& partial) {
  return Number<T>::is_zero(partial) ? T{} : T(factor * partial);
}

template <class T>
T sum(const T& a, const T& b) {
  if (Number<T>::is_zero(a)) return b;
  if (Number<T>::is_zero(b)) return a;
  return a + b;
}

template <class T>
T difference(const T& a, const T& b) {
  if (Number<T>::is_zero(b)) return a;
  if (Number<T>::is_zero(a)) return -b;
  return a - b;
}

/// Partials of f(x) by the chain rule, given f(x) and f'(x).
template <class T, std::size_t N, class Slope>
Dual<T, N> chain(const T& value, const Slope& slope, const Dual<T, N>& x) {
  Dual<T, N> result{value, {}};
  for (std::size_t i = 0; i < N; ++i) result.partial[i] = scaled(slope, x.partial[i]);
  return result;
}

/// What may stand beside a Dual<T, N> as a constant: its own value type or a plain number.
template <class S, class T>
concept ConstantFor = std::is_same_v<S, T> || std::is_same_v<S, double>;

}  // namespace detail

template <class T, std::size_t N>
Dual<T, N> operator+(const Dual<T, N>& a, const Dual<T, N>& b) {
  Dual<T, N> result{a.value + b.value, {}};
  for (std::size_t i = 0; i < N; ++i) result.partial[i] = detail::sum(a.partial[i], b.partial[i]);
  return result;
}

template <class T, std::size_t N>
Dual<T, N> operator-(const Dual<T, N>& a, const Dual<T, N>& b) {
  Dual<T, N> result{a.value - b.value, {}};
  for (std::size_t i = 0; i < N; ++i)
    result.partial[i] = detail::difference(a.partial[i], b.partial[i]);
  return result;
}

template <class T, std::size_t N>
Dual<T, N> operator*(const Dual<T, N>& a, const Dual<T, N>& b) {
  Dual<T, N> result{a.value * b.value, {}};
  for (std::size_t i = 0; i < N; ++i)
    result.partial[i] =
        detail::sum(detail::scaled(b.value, a.partial[i]), detail::scaled(a.value, b.partial[i]));
  return result;
}

template <class T, std::size_t N>
Dual<T, N> operator/(const Dual<T, N>& a, const Dual<T, N>& b) {
  const T inverse = 1.0 / b.value;
  Dual<T, N> result{a.value * inverse, {}};
  for (std::size_t i = 0; i < N; ++i)
    result.partial[i] = detail::scaled(
        inverse, detail::difference(a.partial[i], detail::scaled(result.value, b.partial[i])));
  return result;
}

template <class T, std::size_t N>
Dual<T, N> operator-(const Dual<T, N>& a) {
  return detail::chain(T(-a.value), -1.0, a);
}

template <class T, std::size_t N, detail::ConstantFor<T> S>
Dual<T, N> operator+(const Dual<T, N>& a, const S& b) {
  return Dual<T, N>{a.value + b, a.partial};
}

template <class T, std::size_t N, detail::ConstantFor<T> S>
Dual<T, N> operator+(const S& a, const Dual<T, N>& b) {
  return b + a;
}

template <class T, std::size_t N, detail::ConstantFor<T> S>
Dual<T, N> operator-(const Dual<T, N>& a, const S& b) {
  return Dual<T, N>{a.value - b, a.partial};
}

template <class T, std::size_t N, detail::ConstantFor<T> S>
Dual<T, N> operator-(const S& a, const Dual<T, N>& b) {
  return detail::chain(T(a - b.value), -1.0, b);
}

template <class T, std::size_t N, detail::ConstantFor<T> S>
Dual<T, N> operator*(const Dual<T, N>& a, const S& b) {
  return detail::chain(T(a.value * b), b, a);
}

template <class T, std::size_t N, detail::ConstantFor<T> S>
Dual<T, N> operator*(const S& a, const Dual<T, N>& b) {
  return b * a;
}

template <class T, std::size_t N, detail::ConstantFor<T> S>
Dual<T, N> operator/(const Dual<T, N>& a, const S& b) {
  const S inverse = 1.0 / b;
  return detail::chain(T(a.value * inverse), inverse, a);
}

template <class T, std::size_t N, detail::ConstantFor<T> S>
Dual<T, N> operator/(const S& a, const Dual<T, N>& b) {
  const T inverse = 1.0 / b.value;
  const T value = a * inverse;
  return detail::chain(value, T(-value * inverse), b);
}

/// Comparisons look at values only; the result is whatever comparing two `T` gives.
template <class T, std::size_t N, class S>
auto operator<(const Dual<T, N>& a, const S& b) {
  if constexpr (std::is_same_v<S, Dual<T, N>>) {
    return a.value < b.value;
  } else {
    return a.value < b;
  }
}

template <class T, std::size_t N, class S>
auto operator>(const Dual<T, N>& a, const S& b) {
  if constexpr (std::is_same_v<S, Dual<T, N>>) {
    return a.value > b.value;
  } else {
    return a.value > b;
  }
}

template <class T, std::size_t N>
struct Number<Dual<T, N>> {
  using D = Dual<T, N>;

  static D exp(const D& x) {
    const T e = Number<T>::exp(x.value);
    return detail::chain(e, e, x);
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
  static D detach(const D& x) { return D::constant(Number<T>::detach(x.value)); }
  static bool is_zero(const D&) { return false; }

  template <class Condition>
  static D select(const Condition& condition, const D& a, const D& b) {
    D result{Number<T>::select(condition, a.value, b.value), {}};
    for (std::size_t i = 0; i < N; ++i)
      result.partial[i] = select_partial(condition, a.partial[i], b.partial[i]);
    return result;
  }
  template <class Condition>
  static D select(const Condition& condition, const D& a, double b) {
    D result{math::select(condition, a.value, b), {}};
    for (std::size_t i = 0; i < N; ++i)
      result.partial[i] = select_partial(condition, a.partial[i], T{});
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

 private:
  template <class Condition>
  static T select_partial(const Condition& condition, const T& a, const T& b) {
    if (Number<T>::is_zero(a) && Number<T>::is_zero(b)) return T{};
    if (Number<T>::is_zero(b)) return math::select(condition, a, 0.0);
    if (Number<T>::is_zero(a)) return T(b - math::select(condition, b, 0.0));
    return math::select(condition, a, b);
  }
};

}  // namespace ceinms_torch::kernel
