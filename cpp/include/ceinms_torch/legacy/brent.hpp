/// @file brent.hpp
/// Van Wijngaarden, Dekker and Brent's root finder, as CEINMS's elastic tendon uses it.
#pragma once

#include <cmath>
#include <limits>
#include <optional>

namespace ceinms_torch::legacy {

/// A root of `f` between `a` and `b`, after `zbrent` of Press et al., Numerical Recipes, step by
/// step: results of CEINMS depend on where the iteration stops, not only on the root (reference
/// C.6). `f` is called at `a` first, then at `b`.
///
/// @param tolerance absolute, in the unit of x
/// @return nothing if f(a) and f(b) have the same sign or 100 iterations are not enough
template <class Function>
std::optional<double> brent_root(Function&& f, double a, double b, double tolerance) {
  constexpr int max_iterations = 100;
  constexpr double epsilon = std::numeric_limits<double>::epsilon();
  double fa = f(a);
  double fb = f(b);
  if ((fa > 0.0 && fb > 0.0) || (fa < 0.0 && fb < 0.0)) return std::nullopt;
  double c = b;
  double fc = fb;
  double d = b - a;  // the last step, and the one before
  double e = d;
  for (int i = 0; i < max_iterations; ++i) {
    if ((fb > 0.0 && fc > 0.0) || (fb < 0.0 && fc < 0.0)) {
      c = a;
      fc = fa;
      e = d = b - a;
    }
    if (std::abs(fc) < std::abs(fb)) {
      a = b;
      b = c;
      c = a;
      fa = fb;
      fb = fc;
      fc = fa;
    }
    const double least = 2.0 * epsilon * std::abs(b) + 0.5 * tolerance;
    const double half = 0.5 * (c - b);
    if (std::abs(half) <= least || fb == 0.0) return b;
    double step = half;
    double before = half;
    if (std::abs(e) >= least && std::abs(fa) > std::abs(fb)) {
      // Inverse quadratic interpolation, or a secant where only two points differ.
      const double s = fb / fa;
      double p = 2.0 * half * s;
      double q = 1.0 - s;
      if (a != c) {
        const double r = fb / fc;
        q = fa / fc;
        p = s * (2.0 * half * q * (q - r) - (b - a) * (r - 1.0));
        q = (q - 1.0) * (r - 1.0) * (s - 1.0);
      }
      if (p > 0.0) q = -q;
      p = std::abs(p);
      const double inside = 3.0 * half * q - std::abs(least * q);
      const double shrinking = std::abs(e * q);
      if (2.0 * p < (inside < shrinking ? inside : shrinking)) {
        before = d;
        step = p / q;
      }
    }
    e = before;
    d = step;
    a = b;
    fa = fb;
    b += std::abs(d) > least ? d : std::copysign(least, half);
    fb = f(b);
  }
  return std::nullopt;
}

}  // namespace ceinms_torch::legacy
