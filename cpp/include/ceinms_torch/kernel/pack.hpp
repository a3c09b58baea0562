/// @file pack.hpp
/// Several doubles that go through the equations side by side.
///
/// Include this only in sources that are compiled once per instruction set (see
/// cpp/src/engine/lanes.cpp): the name of the set is part of the type, so that no linker can
/// mix the code of two of them.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#if defined(__AVX__)
#include <immintrin.h>
#endif

#include "ceinms_torch/kernel/number.hpp"
#include "ceinms_torch/kernel/spline.hpp"

#if !defined(CEINMS_TORCH_ISA)
#error "define CEINMS_TORCH_ISA as a name for the instruction set"
#endif

namespace ceinms_torch::kernel {
inline namespace CEINMS_TORCH_ISA {

#if defined(__AVX512F__)
inline constexpr std::size_t pack_width = 8;
#elif defined(__AVX__)
inline constexpr std::size_t pack_width = 4;
#else
inline constexpr std::size_t pack_width = 2;
#endif

/// What comparing two packs gives: all bits set where it holds.
struct Mask {
  using Bits = std::int64_t __attribute__((vector_size(8 * pack_width)));
  Bits bits;
};

/// `pack_width` doubles in one register.
struct Pack {
  using Values = double __attribute__((vector_size(8 * pack_width)));
  Values v{};

  Pack() = default;
  Pack(Values values) : v(values) {}   // NOLINT: a pack is its values
  Pack(double x) : v(x - Values{}) {}  // NOLINT: a number stands for a pack of it

  static Pack load(const double* from) noexcept {
    Pack result;
    __builtin_memcpy(&result.v, from, sizeof(Values));
    return result;
  }
  void store(double* to) const noexcept { __builtin_memcpy(to, &v, sizeof(Values)); }
  double operator[](std::size_t lane) const noexcept { return v[lane]; }
};

inline Pack operator+(Pack a, Pack b) noexcept {
  return a.v + b.v;
}
inline Pack operator-(Pack a, Pack b) noexcept {
  return a.v - b.v;
}
inline Pack operator*(Pack a, Pack b) noexcept {
  return a.v * b.v;
}
inline Pack operator/(Pack a, Pack b) noexcept {
  return a.v / b.v;
}
inline Pack operator-(Pack a) noexcept {
  return -a.v;
}
inline Pack& operator+=(Pack& a, Pack b) noexcept {
  return a = a + b;
}
inline Mask operator<(Pack a, Pack b) noexcept {
  return {a.v < b.v};
}
inline Mask operator>(Pack a, Pack b) noexcept {
  return {a.v > b.v};
}

namespace packed {

/// exp of a pack to about one unit in the last place: 2^n exp(r) with |r| <= ln(2) / 2, exp(r)
/// by its Taylor polynomial of degree 13 (remainder below 5e-18). Arguments are kept within
/// +-700, where neither the result nor 2^n overflows.
inline Pack exp(Pack x) noexcept {
  const Pack::Values highest = Pack(700.0).v;
  Pack::Values y = x.v < highest ? x.v : highest;
  y = y > -highest ? y : -highest;
  // Adding 1.5 * 2^52 leaves the rounded integer in the lowest bits.
  constexpr double shift = 6755399441055744.0;
  const Pack::Values shifted = y * 1.4426950408889634 + shift;
  const Pack::Values n = shifted - shift;
  // ln(2) in two parts, the first with trailing zeros, so that n ln(2) is exact to the last bit.
  const Pack::Values r = (y - n * 6.93145751953125e-1) - n * 1.42860682030941723212e-6;
  constexpr double c[] = {1.0 / 6227020800.0,
                          1.0 / 479001600.0,
                          1.0 / 39916800.0,
                          1.0 / 3628800.0,
                          1.0 / 362880.0,
                          1.0 / 40320.0,
                          1.0 / 5040.0,
                          1.0 / 720.0,
                          1.0 / 120.0,
                          1.0 / 24.0,
                          1.0 / 6.0,
                          1.0 / 2.0,
                          1.0,
                          1.0};
  Pack::Values p = Pack(c[0]).v;
  for (std::size_t i = 1; i < 14; ++i) p = p * r + c[i];
  const Mask::Bits exponent =
      (std::bit_cast<Mask::Bits>(shifted) << 52) + std::bit_cast<Mask::Bits>(Pack(1.0).v);
  return p * std::bit_cast<Pack::Values>(exponent);
}

inline Pack sqrt(Pack x) noexcept {
#if defined(__AVX512F__)
  return Pack(Pack::Values(_mm512_sqrt_pd(x.v)));
#elif defined(__AVX__)
  return Pack(Pack::Values(_mm256_sqrt_pd(x.v)));
#else
  Pack result;
  for (std::size_t lane = 0; lane < pack_width; ++lane) result.v[lane] = std::sqrt(x.v[lane]);
  return result;
#endif
}

}  // namespace packed

/// A PiecewiseCubic that packs look values up in.
///
/// Few knots are counted, evenly spaced ones calculated, many uneven ones searched.
struct PackTable {
  static constexpr std::size_t stride = 8;  ///< numbers per piece: one cache line
  static constexpr std::size_t most_counted = 32;

  const double* knots = nullptr;   ///< (n_knot)
  const double* pieces = nullptr;  ///< (n_knot + 1, stride): origin, c0..c3, padding
  std::size_t n_knot = 0;
  double per_step = 0.0;  ///< knots per unit of x where they are even, else 0

  struct Piece {
    Pack distance, c0, c1, c2, c3;
  };

  Piece piece_at(Pack x) const noexcept {
    std::int64_t index[pack_width];
    find(x, index);
    Pack row[5];
    for (std::size_t lane = 0; lane < pack_width; ++lane) {
      const double* piece = pieces + static_cast<std::size_t>(index[lane]) * stride;
      for (std::size_t i = 0; i < 5; ++i) row[i].v[lane] = piece[i];
    }
    return {x - row[0], row[1], row[2], row[3], row[4]};
  }

  Pack value(Pack x) const noexcept {
    const auto [d, c0, c1, c2, c3] = piece_at(x);
    return c0 + d * (c1 + d * (c2 + d * c3));
  }
  std::pair<Pack, Pack> value_and_slope(Pack x) const noexcept {
    const auto [d, c0, c1, c2, c3] = piece_at(x);
    return {c0 + d * (c1 + d * (c2 + d * c3)), c1 + d * (2.0 * c2 + 3.0 * (d * c3))};
  }
  std::array<Pack, 3> value_slope_and_curvature(Pack x) const noexcept {
    const auto [d, c0, c1, c2, c3] = piece_at(x);
    return {c0 + d * (c1 + d * (c2 + d * c3)), c1 + d * (2.0 * c2 + 3.0 * (d * c3)),
            2.0 * c2 + 6.0 * (d * c3)};
  }

 private:
  /// Index of the piece serving each lane (see PiecewiseCubic).
  void find(Pack x, std::int64_t* index) const noexcept {
    if (per_step > 0.0) {
      // Piece n_knot is the one beyond the last knot. The clamp also keeps a NaN inside the table;
      // it comes out as NaN through the distance.
      const double last = static_cast<double>(n_knot);
      Pack::Values place = (x.v - knots[0]) * per_step + 1.0;
      place = place > 0.0 ? place : Pack(0.0).v;
      place = place < last ? place : Pack(last).v;
      for (std::size_t lane = 0; lane < pack_width; ++lane)
        index[lane] = static_cast<std::int64_t>(place[lane]);
    } else if (n_knot <= most_counted) {
      Mask::Bits count{};
      for (std::size_t i = 0; i < n_knot; ++i) count -= x.v > Pack(knots[i]).v;
      __builtin_memcpy(index, &count, sizeof(count));
    } else {
      for (std::size_t lane = 0; lane < pack_width; ++lane)
        index[lane] = std::lower_bound(knots, knots + n_knot, x.v[lane]) - knots;
    }
  }
};

}  // namespace CEINMS_TORCH_ISA

template <>
struct Number<Pack> {
  static Pack exp(Pack x) noexcept { return packed::exp(x); }
  static Pack sqrt(Pack x) noexcept { return packed::sqrt(x); }
  /// Once per MTU and simulation, so no polynomial of its own.
  static Pack sin(Pack x) noexcept {
    Pack result;
    for (std::size_t lane = 0; lane < pack_width; ++lane) result.v[lane] = std::sin(x.v[lane]);
    return result;
  }
  static Pack select(Mask condition, Pack a, Pack b) noexcept {
    return Pack(Pack::Values(condition.bits ? a.v : b.v));
  }
  static Mask both(Mask a, Mask b) noexcept { return {a.bits & b.bits}; }
  static bool all(Mask condition) noexcept {
    std::int64_t result = -1;
    for (std::size_t lane = 0; lane < pack_width; ++lane) result &= condition.bits[lane];
    return result != 0;
  }
  static Pack detach(Pack x) noexcept { return x; }

  static Pack lookup(const PackTable& table, Pack x) noexcept { return table.value(x); }
  static std::pair<Pack, Pack> lookup_with_slope(const PackTable& table, Pack x) noexcept {
    return table.value_and_slope(x);
  }
  static std::array<Pack, 3> lookup_with_curvature(const PackTable& table, Pack x) noexcept {
    return table.value_slope_and_curvature(x);
  }
};

}  // namespace ceinms_torch::kernel
