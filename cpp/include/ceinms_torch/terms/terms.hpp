/// @file terms.hpp
/// The terms of an objective, in the order in which they are reported: the only place that names
/// them all.
#pragma once

#include "ceinms_torch/terms/bounds.hpp"
#include "ceinms_torch/terms/excitation.hpp"
#include "ceinms_torch/terms/fibre_length.hpp"
#include "ceinms_torch/terms/fibre_velocity.hpp"
#include "ceinms_torch/terms/moment.hpp"
#include "ceinms_torch/terms/peak_force.hpp"
#include "ceinms_torch/terms/smoothness.hpp"
#include "ceinms_torch/terms/synthesised.hpp"
#include "ceinms_torch/terms/tendon_strain.hpp"
#include "ceinms_torch/terms/tie.hpp"

#include <cstddef>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace ceinms_torch::terms {

/// Eq. (4), and preferences among good fits. Moment errors come first: the root mean square errors
/// that are reported are theirs.
struct Objective {
  Normalisation normalisation = Normalisation::variance;
  std::tuple<Moment, FibreLength, FibreVelocity, TendonStrain, PeakForce> list;
};

/// What eq. (5) adds.
struct SynergyObjective {
  std::tuple<Excitation, Synthesised, Tie, Bounds, Smoothness> list;
};

template <class AnyObjective>
inline constexpr std::size_t n_term = std::tuple_size_v<decltype(AnyObjective::list)>;

/// Calls f(term, place) for every term of an objective.
template <class AnyObjective, class F>
void for_each(AnyObjective& objective, const F& f) {
  std::apply(
      [&](auto&... term) {
        std::size_t place = 0;
        (f(term, place++), ...);
      },
      objective.list);
}

/// Calls set(name, value) for every option of its terms, named as Python's attributes.
template <class AnyObjective, class Set>
void for_each_option(AnyObjective& objective, const Set& set) {
  for_each(objective, [&](auto& term, std::size_t) {
    term.options(
        [&](const char* part, auto& value) { set(std::string(term.name) + "_" + part, value); });
  });
}

/// Names of the terms that count.
template <class AnyObjective>
std::vector<std::string> names_of(const AnyObjective& objective, kernel::TendonModel tendon) {
  std::vector<std::string> names;
  for_each(objective, [&](const auto& term, std::size_t) {
    if (term.counts(tendon)) names.emplace_back(term.name);
  });
  return names;
}

/// Append, of numbers by the place of their term, those that count to `values`.
template <class AnyObjective, class Numbers>
void append_values(const AnyObjective& objective, kernel::TendonModel tendon,
                   const Numbers& by_place, std::vector<double>& values) {
  for_each(objective, [&](const auto& term, std::size_t place) {
    if (term.counts(tendon)) values.push_back(by_place[place]);
  });
}

}  // namespace ceinms_torch::terms
