/// packed::exp, for every instruction set that the engine is compiled for.
#include "helpers.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace ceinms_torch::kernel::testing {

void exp_baseline(const double* x, std::size_t n, double* out);
#if defined(CEINMS_TORCH_PROBE_X86_64)
void exp_x86_64_v3(const double* x, std::size_t n, double* out);
void exp_x86_64_v4(const double* x, std::size_t n, double* out);
#endif

namespace {

/// Distance in units in the last place of the exact value.
double ulps(double got, long double exact) {
  const double rounded = static_cast<double>(exact);
  const double ulp = std::nextafter(rounded, std::numeric_limits<double>::infinity()) - rounded;
  return static_cast<double>(std::abs(static_cast<long double>(got) - exact) / ulp);
}

TEST_CASE("packed exp is exact to two units in the last place") {
  std::vector<void (*)(const double*, std::size_t, double*)> probes{&exp_baseline};
#if defined(CEINMS_TORCH_PROBE_X86_64)
  if (__builtin_cpu_supports("x86-64-v3")) probes.push_back(&exp_x86_64_v3);
  if (__builtin_cpu_supports("x86-64-v4")) probes.push_back(&exp_x86_64_v4);
#endif
  constexpr std::size_t n = 200'000;
  Random random;
  std::vector<double> x(n);
  for (std::size_t i = 0; i < n; ++i) {
    // Half of them where activations and curves are, half in the whole range, and the ends.
    const double range = i % 2 == 0 ? 4.0 : 700.0;
    x[i] = random.between(-range, range);
  }
  x[0] = 0.0;
  x[1] = 700.0;
  x[2] = -700.0;
  x[3] = 0.34657359027997264;  // ln(2) / 2, where the power of two changes
  std::vector<double> got(n);
  for (const auto probe : probes) {
    probe(x.data(), n, got.data());
    double worst = 0.0;
    for (std::size_t i = 0; i < n; ++i)
      worst = std::max(worst, ulps(got[i], std::exp(static_cast<long double>(x[i]))));
    CAPTURE(worst);
    CHECK(worst <= 2.0);
    CHECK(got[0] == 1.0);
  }
}

}  // namespace
}  // namespace ceinms_torch::kernel::testing
