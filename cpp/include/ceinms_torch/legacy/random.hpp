/// @file random.hpp
/// The pseudo-random numbers of the C library that CEINMS was compiled with, and better ones.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

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

  std::string state() const;
  /// Go on from a `state`; InputError if it is none.
  void restore(const std::string& state);

 private:
  static constexpr std::size_t n_state = 31;

  std::array<std::uint32_t, n_state> state_{};
  std::size_t at_ = 3;  ///< where r[i] goes; r[i-3] is three places before, r[i-31] is here
};

/// Uniform numbers with 53 bits that are the same on every platform: the standard fixes the engine,
/// but not its distributions.
class PortableRandom {
 public:
  explicit PortableRandom(std::uint64_t seed) : engine_(seed) {}

  /// 0..1, 1 not included.
  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }

  std::string state() const;
  /// Go on from a `state`; InputError if it is none.
  void restore(const std::string& state);

 private:
  std::mt19937_64 engine_;
};

}  // namespace ceinms_torch::legacy
