/// @file random.hpp
/// The pseudo-random numbers of the C library that CEINMS was compiled with.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace ceinms_torch::legacy {

/// `srand` and `rand` of glibc (its default generator, additive feedback r[i] = r[i-3] + r[i-31]),
/// so that an annealing takes the same path on every platform (reference D.5).
class GlibcRandom {
 public:
  static constexpr std::int32_t max = 2147483647;  ///< RAND_MAX

  explicit GlibcRandom(std::int32_t seed = 1) noexcept;

  /// `rand()`: 0..max.
  std::int32_t next() noexcept;
  /// `rand() / RAND_MAX`: 0..1, both included.
  double uniform() noexcept { return static_cast<double>(next()) / max; }

 private:
  static constexpr std::size_t n_state = 31;

  std::array<std::uint32_t, n_state> state_{};
  std::size_t at_ = 3;  ///< where r[i] goes; r[i-3] is three places before, r[i-31] is here
};

}  // namespace ceinms_torch::legacy
