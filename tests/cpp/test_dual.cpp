/// Dual: the chain rule of every operation, for every mixture of variables and constants.
#include "ceinms_torch/kernel/dual.hpp"
#include "helpers.hpp"

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <type_traits>

namespace ceinms_torch::kernel {

/// A double that knows whether anything has been written to it, as a tensor does: the partials
/// outside a Dual's mask must stay unwritten and must never be computed with.
struct Sparse {
  double number = 0.0;
  bool is_written = false;

  Sparse() = default;
  Sparse(double x) : number(x), is_written(true) {}
  double read() const {
    if (!is_written) throw std::logic_error("computed with a partial outside the mask");
    return number;
  }
};
inline Sparse operator+(const Sparse& a, const Sparse& b) {
  return a.read() + b.read();
}
inline Sparse operator-(const Sparse& a, const Sparse& b) {
  return a.read() - b.read();
}
inline Sparse operator*(const Sparse& a, const Sparse& b) {
  return a.read() * b.read();
}
inline Sparse operator/(const Sparse& a, const Sparse& b) {
  return a.read() / b.read();
}
inline Sparse operator-(const Sparse& a) {
  return -a.read();
}
inline bool operator<(const Sparse& a, double b) {
  return a.read() < b;
}
inline bool operator>(const Sparse& a, double b) {
  return a.read() > b;
}

template <>
struct Number<Sparse> {
  static Sparse exp(const Sparse& x) { return std::exp(x.read()); }
  static Sparse sqrt(const Sparse& x) { return std::sqrt(x.read()); }
  static Sparse sin(const Sparse& x) { return std::sin(x.read()); }
  static Sparse asin(const Sparse& x) { return std::asin(x.read()); }
  static Sparse select(bool condition, const Sparse& a, const Sparse& b) {
    return condition ? a.read() : b.read();
  }
  static Sparse detach(const Sparse& x) { return x; }
};

namespace {

using namespace testing;
using D2 = Dual<double, 2>;

// Central differences with this step are good to about 1e-12 for functions that vary on a scale
// of 1; the tests ask for a hundred times that.
constexpr double step = 1e-3;
constexpr double tolerance = 1e-10;

/// f(x, y) with both, one and none of the arguments variable.
template <class Function>
void check_binary(const Function& f, double x, double y) {
  const double value = f(x, y);
  const double by_x = central_difference([&](double s) { return f(s, y); }, x, step);
  const double by_y = central_difference([&](double s) { return f(x, s); }, y, step);
  const D2 x_var = D2::variable(x, 1.0, 0);
  const D2 y_var = D2::variable(y, 1.0, 1);
  const auto check = [&](const D2& result, double slope_x, double slope_y) {
    CHECK(result.value == near(value, 1e-15));  // an operation or two of rounding
    CHECK(result.partial[0] == near(slope_x, tolerance));
    CHECK(result.partial[1] == near(slope_y, tolerance));
  };
  check(f(x_var, y_var), by_x, by_y);
  check(f(x_var, D2::constant(y)), by_x, 0.0);
  check(f(D2::constant(x), y_var), 0.0, by_y);
  check(f(D2::constant(x), D2::constant(y)), 0.0, 0.0);
  check(f(x_var, y), by_x, 0.0);
  check(f(x, y_var), 0.0, by_y);

  // The same with Duals as values: a constant may then be an inner Dual or a double.
  using Outer = Dual<D2, 1>;
  const Outer outer = Outer::variable(x_var, D2::constant(1.0), 0);
  check(f(outer, y_var).value, by_x, by_y);
  CHECK(f(outer, y_var).partial[0].value == near(by_x, tolerance));
  CHECK(f(outer, y).partial[0].value == near(by_x, tolerance));
  const Outer second = Outer::variable(y_var, D2::constant(1.0), 0);
  check(f(x_var, second).value, by_x, by_y);
  CHECK(f(x_var, second).partial[0].value == near(by_y, tolerance));
  CHECK(f(x, second).partial[0].value == near(by_y, tolerance));
}

template <class Function>
void check_unary(const Function& f, double x) {
  const D2 result = f(D2::variable(x, 1.0, 1));
  CHECK(result.value == near(f(x), 1e-15));
  CHECK(result.partial[0] == 0.0);
  CHECK(result.partial[1] == near(central_difference(f, x, step), tolerance));
  const D2 constant = f(D2::constant(x));
  CHECK(constant.value == result.value);
  CHECK(constant.partial[1] == 0.0);
}

TEST_CASE("dual: variable and constant") {
  const D2 x = D2::variable(3.0, 1.0, 1);
  CHECK(x.value == 3.0);
  CHECK(x.partial == std::array<double, 2>{0.0, 1.0});
  CHECK(D2::constant(3.0).partial == std::array<double, 2>{0.0, 0.0});
  CHECK(math::detach(x) == 3.0);
  // Through every level of nesting, and back.
  using Outer = Dual<D2, 1>;
  CHECK(math::detach(Outer::variable(x, D2::constant(1.0), 0)) == 3.0);
  const auto lifted = math::lift<Outer>(3.0);
  CHECK(lifted.value.value == 3.0);
  CHECK(lifted.partial[0].value == 0.0);
  CHECK(math::lift<double>(3.0) == 3.0);
}

TEST_CASE("dual: operators, for every mixture of variables and constants") {
  for (const double x : {0.7, -1.9}) {
    for (const double y : {1.3, -0.6}) {
      CAPTURE(x);
      CAPTURE(y);
      check_binary([](const auto& a, const auto& b) { return a + b; }, x, y);
      check_binary([](const auto& a, const auto& b) { return a - b; }, x, y);
      check_binary([](const auto& a, const auto& b) { return a * b; }, x, y);
      check_binary([](const auto& a, const auto& b) { return a / b; }, x, y);
      check_binary([](const auto& a, const auto& b) { return 2.0 * a - b / 3.0 + a * 4.0; }, x, y);
    }
  }
}

TEST_CASE("dual: functions") {
  check_unary([](const auto& x) { return -x; }, 0.4);
  check_unary([](const auto& x) { return math::square(x); }, -0.4);
  check_unary([](const auto& x) { return math::exp(x); }, 0.4);
  check_unary([](const auto& x) { return math::sqrt(x); }, 2.4);
  for (const double x : {-2.0, 0.0, 0.4, 4.0})
    check_unary([](const auto& a) { return math::sin(a); }, x);
  for (const double x : {-0.8, 0.0, 0.3})
    check_unary([](const auto& a) { return math::asin(a); }, x);
}

TEST_CASE("dual: limits have the slope of whichever side wins") {
  for (const double x : {-0.5, 0.2, 1.5}) {
    CAPTURE(x);
    check_unary([](const auto& a) { return math::at_least(a, 0.0); }, x);
    check_unary([](const auto& a) { return math::clamp(a, 0.0, 1.0); }, x);
  }
  const D2 x = D2::variable(0.2, 1.0, 0);
  const D2 y = D2::variable(0.3, 1.0, 1);
  CHECK(x < y);
  CHECK_FALSE(x > y);
  CHECK(x < 0.25);
  CHECK(y > 0.25);
  CHECK(math::both<D2>(x < y, y > 0.0));
  CHECK(math::all<D2>(x < y));
  CHECK(math::select(x < y, x, y).partial == x.partial);
  CHECK(math::select(x > y, x, y).partial == y.partial);
  CHECK(math::select(x > y, x, 7.0).value == 7.0);
  CHECK(math::select(x > y, x, 7.0).partial == std::array<double, 2>{0.0, 0.0});
}

TEST_CASE("dual: a table's slope becomes the partial") {
  const PiecewiseCubic table = spline_through(ManualPoints{}.force_velocity).table(Ends::linear);
  // Away from knots; the curve varies on a scale of 0.1 there, so the step is shorter.
  for (const double x : {-12.0, -0.43, 0.05, 0.47, 11.0}) {
    CAPTURE(x);
    const D2 result = math::lookup(table, D2::variable(x, 1.0, 0));
    CHECK(result.value == table.value(x));
    const double slope = central_difference([&](double s) { return table.value(s); }, x, 1e-4);
    CHECK(result.partial[0] == near(slope, tolerance));
  }
}

TEST_CASE("dual: a factor times a table") {
  const PiecewiseCubic table = spline_through(ManualPoints{}.force_velocity).table(Ends::linear);
  const auto check = [&](const auto& x, const auto& factor) {
    const auto expected = factor * math::lookup(table, x);
    const auto result = math::scaled_lookup(table, x, factor);
    static_assert(std::is_same_v<decltype(result), decltype(expected)>);
    CHECK(result.value == near(expected.value, 1e-15));
    for (const std::size_t i : {0U, 1U})
      CHECK(result.partial[i] == near(expected.partial[i], 1e-15));
  };
  const auto x = variable<0, 2>(-0.43, 1.0);
  check(x, 1.7);
  check(x, variable<0, 2>(1.7, 1.0));
  check(x, variable<1, 2>(1.7, 1.0));
  check(x, D2{1.7, {0.3, -0.2}});
  check(D2{-0.43, {0.5, 0.7}}, D2{1.7, {0.3, -0.2}});
  CHECK(math::scaled_lookup(table, -0.43, 1.7) == 1.7 * table.value(-0.43));
}

/// Something with every operation in it.
template <class X, class Y>
auto blend(const X& x, const Y& y) {
  return math::exp(x * y) * math::sin(x) / math::sqrt(y) - 2.0 / (x + y) +
         math::asin(x / (1.0 + y)) * (3.0 - x) + math::square(-y) + (x - y) * (y - x) / y;
}

TEST_CASE("dual: nested, mixed second derivatives") {
  using Outer = Dual<D2, 1>;
  const double x = 0.6;
  const double y = 1.4;
  const D2 x_inner = D2::variable(x, 1.0, 0);
  const D2 y_inner = D2::variable(y, 1.0, 1);
  const Outer by_x =
      blend(Outer::variable(x_inner, D2::constant(1.0), 0), Outer::constant(y_inner));
  const Outer by_y =
      blend(Outer::constant(x_inner), Outer::variable(y_inner, D2::constant(1.0), 0));

  const auto slopes = [](double u, double v) {
    return blend(D2::variable(u, 1.0, 0), D2::variable(v, 1.0, 1)).partial;
  };
  CHECK(by_x.value.value == near(blend(x, y), 1e-14));
  for (const std::size_t i : {0U, 1U}) {
    CAPTURE(i);
    CHECK(by_x.value.partial[i] == near(slopes(x, y)[i], 1e-14));
    const double by_x_and_i =
        central_difference([&](double s) { return slopes(s, y)[i]; }, x, step);
    const double by_y_and_i =
        central_difference([&](double s) { return slopes(x, s)[i]; }, y, step);
    CHECK(by_x.partial[0].partial[i] == near(by_x_and_i, tolerance));
    CHECK(by_y.partial[0].partial[i] == near(by_y_and_i, tolerance));
  }
  // f_xy = f_yx up to rounding.
  CHECK(by_x.partial[0].partial[1] == near(by_y.partial[0].partial[0], 1e-14));
}

TEST_CASE("dual: a mask says which partials are computed, the others stay unwritten") {
  // Sparse throws if a partial outside the mask is computed with.
  const auto x = variable<0, 3>(Sparse(0.6), Sparse(1.0));
  const auto y = variable<2, 3>(Sparse(1.4), Sparse(1.0));
  static_assert(std::is_same_v<decltype(x), const Dual<Sparse, 3, 0b001>>);
  static_assert(std::is_same_v<decltype(x * y), Dual<Sparse, 3, 0b101>>);
  const auto of_both = blend(x, y);
  static_assert(std::is_same_v<decltype(of_both), const Dual<Sparse, 3, 0b101>>);
  const D2 dense = blend(D2::variable(0.6, 1.0, 0), D2::variable(1.4, 1.0, 1));
  CHECK(of_both.value.read() == near(dense.value, 1e-14));
  CHECK(of_both.partial[0].read() == near(dense.partial[0], 1e-14));
  CHECK(of_both.partial[2].read() == near(dense.partial[1], 1e-14));
  CHECK_FALSE(of_both.partial[1].is_written);

  const auto of_x = blend(x, 1.4);
  static_assert(std::is_same_v<decltype(of_x), const Dual<Sparse, 3, 0b001>>);
  CHECK(of_x.partial[0].read() == near(dense.partial[0], 1e-14));
  const auto of_y = blend(0.6, y);
  CHECK(of_y.partial[2].read() == near(dense.partial[1], 1e-14));
  for (const std::size_t i : {1U, 2U}) CHECK_FALSE(of_x.partial[i].is_written);
  for (const std::size_t i : {0U, 1U}) CHECK_FALSE(of_y.partial[i].is_written);
}

TEST_CASE("dual: operators on every pair of masks") {
  const auto check = [](const auto& a, const auto& b) {
    const D2 full_a{a.value, a.partial};
    const D2 full_b{b.value, b.partial};
    const auto same = [](const auto& masked, const D2& full) {
      CHECK(masked.value == full.value);
      // a - b and -(b / a) leave out terms that are zero: equal but for rounding.
      for (const std::size_t i : {0U, 1U}) CHECK(masked.partial[i] == near(full.partial[i], 1e-15));
    };
    same(a + b, full_a + full_b);
    same(a - b, full_a - full_b);
    same(a * b, full_a * full_b);
    same(a / b, full_a / full_b);
    CHECK((a < b) == (a.value < b.value));
    CHECK((a > b) == (a.value > b.value));
  };
  const auto x = variable<0, 2>(0.7, 1.0);
  const auto y = variable<1, 2>(-1.3, 1.0);
  const D2 z = D2::variable(0.7, 1.0, 0) * D2::variable(-1.3, 1.0, 1);
  const Dual<double, 2, 0> none{0.4, {}};
  check(x, x);
  check(x, y);
  check(y, x);
  check(x, z);
  check(z, x);
  check(none, y);
  check(y, none);
}

TEST_CASE("dual: select keeps to the mask") {
  const auto x = variable<1, 2>(Sparse(1.0), Sparse(5.0));
  const auto y = variable<1, 2>(Sparse(2.0), Sparse(7.0));
  for (const bool condition : {true, false}) {
    CAPTURE(condition);
    const auto either = math::select(condition, x, y);
    CHECK(either.value.read() == (condition ? 1.0 : 2.0));
    CHECK(either.partial[1].read() == (condition ? 5.0 : 7.0));
    CHECK_FALSE(either.partial[0].is_written);
    const auto or_constant = math::select(condition, x, 4.0);
    CHECK(or_constant.value.read() == (condition ? 1.0 : 4.0));
    CHECK(or_constant.partial[1].read() == (condition ? 5.0 : 0.0));
    CHECK_FALSE(or_constant.partial[0].is_written);
  }
}

}  // namespace
}  // namespace ceinms_torch::kernel
