#include "ceinms_torch/kernel/parameter_map.hpp"

#include "ceinms_torch/kernel/parameters.hpp"

#include <algorithm>
#include <numeric>

namespace ceinms_torch::kernel {

void ParameterMap::values(const double* x, double* value) const noexcept {
  // lower + x (upper - lower) could miss the upper bound by its rounding, and so could this.
  for (std::size_t i = 0; i < n_component(); ++i)
    value[i] = std::clamp((1.0 - x[i]) * lower[i] + x[i] * upper[i], lower[i], upper[i]);
}

double ParameterMap::total_force() const noexcept {
  const std::size_t n_mtu = start.size() / n_parameter_kind;
  const double* force =
      start.data() + static_cast<std::size_t>(ParameterKind::max_isometric_force) * n_mtu;
  return std::accumulate(force, force + n_mtu, 0.0);
}

void ParameterMap::place(const double* value, double* parameters) const noexcept {
  for (std::size_t i = 0; i < slot.size(); ++i) parameters[slot[i]] = value[component[i]];
}

}  // namespace ceinms_torch::kernel
