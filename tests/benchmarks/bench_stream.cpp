/// How long one step of a stream takes. Writes JSON.
///
///   bench_stream [SECONDS]    how long each case is measured, default 2
///
/// Every step is timed by itself, by the wall: p50, p99 and the longest, in microseconds. The
/// longest is mostly what else the machine does. Moving: a gait-like cycle. Resting: no excitation
/// and no movement, when states fade towards the smallest numbers there are.

#include "ceinms_torch/engine/stream.hpp"
#include "measuring.hpp"
#include "synthetic.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace ceinms_torch::benchmarks {
namespace {

constexpr std::size_t n_mtu = 46;
constexpr std::size_t n_dof = 3;
constexpr std::size_t n_frame = 1000;  // ten seconds, again and again

engine::Stream make_stream(const engine::Backend& backend, kernel::TendonModel tendon) {
  engine::StreamSetup setup{.n_mtu = n_mtu,
                            .parameters = parameters(n_mtu),
                            .mtus_of_dof = std::vector<std::vector<std::size_t>>(n_dof),
                            .rate = 100.0,
                            .longest_delay = 0.2,
                            .simulation = {.tendon = tendon}};
  for (std::size_t mtu = 0; mtu < n_mtu; ++mtu)
    for (std::size_t dof = 0; dof < n_dof; ++dof)
      if (dof == mtu % n_dof || (dof + mtu) % 2 == 0) setup.mtus_of_dof[dof].push_back(mtu);
  return {backend, std::make_shared<const engine::CurveTables>(kernel::testing::manual_curves()),
          setup};
}

/// Latencies of a stream's steps [s], sorted.
std::vector<double> latencies(engine::Stream& stream, bool moves, double seconds) {
  const auto trial = make_trial({.n_mtu = n_mtu, .n_trial = 1, .n_frame = n_frame}, 0);
  const std::vector<double> moment_arm(n_dof * n_mtu, 0.04);
  const std::vector<double> nothing(n_mtu);
  std::vector<double> result;
  result.reserve(10'000'000);
  const double begin = now(Clock::wall);
  for (std::size_t k = 0; result.size() < result.capacity(); ++k) {
    // Every other row: excitations are sampled at twice the frames' rate.
    const std::size_t frame = moves ? k % n_frame : 0;
    const double* excitation =
        moves ? trial->excitation.data() + 2 * frame * n_mtu : nothing.data();
    const double before = now(Clock::wall);
    stream.step(excitation, trial->mtu_length.data() + frame * n_mtu, moment_arm.data());
    const double after = now(Clock::wall);
    result.push_back(after - before);
    if (after - begin > seconds) break;
  }
  std::sort(result.begin(), result.end());
  return result;
}

JsonObject summary(const std::vector<double>& sorted) {
  const auto quantile = [&](double share) {
    return 1e6 * sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
  };
  return JsonObject()
      .add("steps", static_cast<double>(sorted.size()))
      .add("p50", quantile(0.5))
      .add("p99", quantile(0.99))
      .add("p99.9", quantile(0.999))
      .add("max", quantile(1.0));
}

void run(double seconds) {
  std::vector<JsonObject> cases;
  for (const engine::Backend* backend : engine::backends())
    for (const bool elastic : {true, false})
      for (const bool moves : {true, false}) {
        engine::Stream stream = make_stream(
            *backend, elastic ? kernel::TendonModel::rosenbrock : kernel::TendonModel::stiff);
        cases.push_back(JsonObject()
                            .add("instruction_set", std::string(backend->name))
                            .add("tendon", elastic ? "rosenbrock" : "stiff")
                            .add("signals", moves ? "moving" : "resting")
                            .add("step_us", summary(latencies(stream, moves, seconds))));
      }
  const JsonObject result = JsonObject()
                                .add("benchmark", "stream")
                                .add("n_mtu", static_cast<double>(n_mtu))
                                .add("n_dof", static_cast<double>(n_dof))
                                .add("cases", cases);
  std::printf("%s\n", result.text().c_str());
}

}  // namespace
}  // namespace ceinms_torch::benchmarks

int main(int argc, char** argv) {
  ceinms_torch::benchmarks::run(argc > 1 ? std::atof(argv[1]) : 2.0);
  return 0;
}
