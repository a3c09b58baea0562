/// Path polynomials: against sums over all terms, and sets of them on every backend.
#include "ceinms_torch/engine/path_set.hpp"
#include "ceinms_torch/kernel/input_error.hpp"
#include "ceinms_torch/kernel/path_polynomial.hpp"
#include "helpers.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace ceinms_torch::engine {
namespace {

using kernel::LengthAndSlopes;
using kernel::n_path_term;
using kernel::testing::central_difference;
using kernel::testing::near;
using kernel::testing::Random;
using Vector = std::vector<double>;

/// The exponents of all terms, the last coordinate's running fastest.
std::vector<std::vector<std::size_t>> exponents(std::size_t n, std::size_t order) {
  if (n == 0) return {{}};
  std::vector<std::vector<std::size_t>> result;
  for (std::size_t power = 0; power <= order; ++power)
    for (std::vector<std::size_t> rest : exponents(n - 1, order - power)) {
      rest.insert(rest.begin(), power);
      result.push_back(rest);
    }
  return result;
}

/// The polynomial term by term.
double sum_of_terms(const Vector& q, std::size_t order, const Vector& coefficients) {
  const auto all = exponents(q.size(), order);
  double sum = 0.0;
  for (std::size_t term = 0; term < all.size(); ++term) {
    double product = coefficients[term];
    for (std::size_t i = 0; i < q.size(); ++i)
      product *= std::pow(q[i], static_cast<double>(all[term][i]));
    sum += product;
  }
  return sum;
}

template <std::size_t n>
LengthAndSlopes<double, n> evaluated(const Vector& q, std::size_t order,
                                     const Vector& coefficients) {
  const double* end = coefficients.data() + coefficients.size();
  auto previous = [&end] { return *--end; };
  const auto result = kernel::path_polynomial<n>(q.data(), order, previous);
  CHECK(end == coefficients.data());  // every coefficient, once
  return result;
}

Vector random_numbers(Random& random, std::size_t n) {
  Vector result;
  for (std::size_t i = 0; i < n; ++i) result.push_back(random.between(-1.0, 1.0));
  return result;
}

template <std::size_t n>
void check_against_terms() {
  Random random;
  for (std::size_t order = 0; order <= 6; ++order) {
    CAPTURE(n);
    CAPTURE(order);
    REQUIRE(exponents(n, order).size() == n_path_term(n, order));
    const Vector coefficients = random_numbers(random, n_path_term(n, order));
    const Vector q = random_numbers(random, n);
    const auto found = evaluated<n>(q, order, coefficients);
    CHECK(found.length == near(sum_of_terms(q, order, coefficients), 1e-13));
    for (std::size_t i = 0; i < n; ++i) {
      const auto along = [&](double x) {
        Vector moved = q;
        moved[i] = x;
        return sum_of_terms(moved, order, coefficients);
      };
      CHECK(found.slope[i] == near(central_difference(along, q[i], 1e-3), 1e-9));
    }
  }
}

TEST_CASE("path polynomial: a value and its slopes computed by hand") {
  // 1 + 2 y + 3 y^2 + 4 x + 5 x y + 6 x^2 at x = 2, y = 3
  const auto found = evaluated<2>({2.0, 3.0}, 2, {1.0, 2.0, 3.0, 4.0, 5.0, 6.0});
  CHECK(found.length == 1.0 + 6.0 + 27.0 + 8.0 + 30.0 + 24.0);
  CHECK(found.slope[0] == 4.0 + 15.0 + 24.0);
  CHECK(found.slope[1] == 2.0 + 18.0 + 10.0);
}

TEST_CASE("path polynomial: equals the sum of its terms, its slopes central differences") {
  check_against_terms<1>();
  check_against_terms<2>();
  check_against_terms<3>();
  check_against_terms<4>();
  check_against_terms<5>();
}

/// Paths of several numbers of coordinates and orders; more than a pack of some.
PathSetSetup leg(Random& random) {
  PathSetSetup setup{.n_coordinate = 5, .paths = {}, .dofs = {4, 0, 3}};
  const std::vector<std::vector<std::size_t>> crossed{{0, 1, 2}, {4}, {3, 0}, {0, 1, 2, 3}, {2}};
  for (std::size_t mtu = 0; mtu < 43; ++mtu) {
    const std::vector<std::size_t>& coordinates = crossed[mtu % 7 % crossed.size()];
    const std::size_t order = mtu % 6;
    setup.paths.push_back(
        {coordinates, order, random_numbers(random, n_path_term(coordinates.size(), order))});
  }
  return setup;
}

TEST_CASE("path set: lengths and moment arms of every MTU, on every backend") {
  Random random;
  const PathSetSetup setup = leg(random);
  const std::size_t n_mtu = setup.paths.size();
  for (const Backend* backend : backends()) {
    const PathSet paths(*backend, setup);
    for (int pose = 0; pose < 3; ++pose) {
      const Vector q = random_numbers(random, setup.n_coordinate);
      Vector length(n_mtu, std::nan("")), arm(setup.dofs.size() * n_mtu, std::nan(""));
      paths.evaluate(q.data(), length.data(), arm.data());
      for (std::size_t mtu = 0; mtu < n_mtu; ++mtu) {
        CAPTURE(mtu);
        const PathPolynomial& path = setup.paths[mtu];
        const auto at = [&](const Vector& all) {
          Vector own;
          for (const std::size_t i : path.coordinates) own.push_back(all[i]);
          return sum_of_terms(own, path.order, path.coefficients);
        };
        CHECK(length[mtu] == near(at(q), 1e-13));
        for (std::size_t dof = 0; dof < setup.dofs.size(); ++dof) {
          const auto along = [&](double x) {
            Vector moved = q;
            moved[setup.dofs[dof]] = x;
            return at(moved);
          };
          const double slope = central_difference(along, q[setup.dofs[dof]], 1e-3);
          CHECK(arm[dof * n_mtu + mtu] == near(-slope, 1e-9));
        }
      }
    }
  }
}

TEST_CASE("path set: refuses what does not fit together") {
  const auto refused = [](const PathSetSetup& setup) {
    CHECK_THROWS_AS(PathSet(*backends().front(), setup), kernel::InputError);
  };
  refused({.n_coordinate = 2, .paths = {{{2}, 1, {0.1, 0.2}}}, .dofs = {}});
  refused({.n_coordinate = 2, .paths = {{{0, 0}, 1, {0.1, 0.2, 0.3}}}, .dofs = {}});
  refused({.n_coordinate = 2, .paths = {{{}, 1, {0.1}}}, .dofs = {}});
  refused({.n_coordinate = 2, .paths = {{{0}, 2, {0.1, 0.2}}}, .dofs = {}});
  refused({.n_coordinate = 2, .paths = {{{0}, 13, Vector(14)}}, .dofs = {}});
  refused({.n_coordinate = 2, .paths = {{{0}, 1, {0.1, 0.2}}}, .dofs = {0, 0}});
  refused({.n_coordinate = 2, .paths = {{{0}, 1, {0.1, 0.2}}}, .dofs = {2}});
}

}  // namespace
}  // namespace ceinms_torch::engine
