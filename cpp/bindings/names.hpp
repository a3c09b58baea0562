/// Options that Python spells as words.
#pragma once

#include "ceinms_torch/engine/lanes.hpp"
#include "ceinms_torch/kernel/input_error.hpp"
#include "ceinms_torch/kernel/trajectory.hpp"

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace ceinms_torch::bindings {

/// The value that `word` stands for, or InputError listing the words.
template <class Value, std::size_t N>
Value named(std::string_view option, std::string_view word,
            const std::array<std::pair<std::string_view, Value>, N>& words) {
  std::string allowed;
  for (const auto& [name, value] : words) {
    if (name == word) return value;
    allowed += (allowed.empty() ? "'" : ", '") + std::string(name) + "'";
  }
  throw kernel::InputError(std::string(option), "one of " + allowed, "'" + std::string(word) + "'");
}

inline kernel::SimulationOptions simulation_options(std::string_view tendon,
                                                    std::string_view filter_start) {
  using kernel::FilterStart;
  using kernel::TendonModel;
  constexpr std::array<std::pair<std::string_view, TendonModel>, 2> tendons{
      {{"stiff", TendonModel::stiff}, {"rosenbrock", TendonModel::rosenbrock}}};
  constexpr std::array<std::pair<std::string_view, FilterStart>, 2> starts{
      {{"zero", FilterStart::zero}, {"ceinms", FilterStart::ceinms}}};
  return {named("tendon", tendon, tendons), named("filter_start", filter_start, starts)};
}

/// Whether an improvement is absolute.
inline bool is_absolute(std::string_view improvement) {
  constexpr std::array<std::pair<std::string_view, bool>, 2> words{
      {{"relative", false}, {"absolute", true}}};
  return named("improvement", improvement, words);
}

/// Whether a learning rate decays after every iteration.
inline bool decays_always(std::string_view decay_when) {
  constexpr std::array<std::pair<std::string_view, bool>, 2> words{
      {{"stalled", false}, {"always", true}}};
  return named("decay_when", decay_when, words);
}

/// The fused engine's code for an instruction set; the best that this machine runs for "auto".
inline const engine::Backend& backend_named(std::string_view name) {
  std::string known;
  for (const engine::Backend* backend : engine::backends()) {
    if (name == "auto" || name == backend->name) return *backend;
    known += ", '" + std::string(backend->name) + "'";
  }
  throw kernel::InputError("instruction_set", "one of 'auto'" + known,
                           "'" + std::string(name) + "'");
}

}  // namespace ceinms_torch::bindings
