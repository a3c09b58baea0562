#include "ceinms_torch/legacy/random.hpp"

#include "ceinms_torch/kernel/input_error.hpp"

#include <locale>
#include <sstream>

namespace ceinms_torch::legacy {
namespace {

/// Whatever the locale of the program is.
template <class Stream>
Stream classic(Stream stream) {
  stream.imbue(std::locale::classic());
  return stream;
}

[[noreturn]] void refuse() {
  throw kernel::InputError("random", "the state of a generator", "something else");
}

}  // namespace

GlibcRandom::GlibcRandom(std::int32_t seed) noexcept {
  // Lehmer's generator modulo 2^31 - 1 fills the state; a seed of 0 would keep it at 0.
  std::int64_t value = seed == 0 ? 1 : seed;
  for (std::uint32_t& entry : state_) {
    entry = static_cast<std::uint32_t>(value);
    value = 16807 * value % max;
    if (value < 0) value += max;
  }
  constexpr int discarded = 310;
  for (int i = 0; i < discarded; ++i) next();
}

std::int32_t GlibcRandom::next() noexcept {
  const std::size_t three_before = at_ >= 3 ? at_ - 3 : at_ + n_state - 3;
  state_[at_] += state_[three_before];
  const std::uint32_t value = state_[at_] >> 1;
  at_ = at_ + 1 == n_state ? 0 : at_ + 1;
  return static_cast<std::int32_t>(value);
}

std::string GlibcRandom::state() const {
  auto out = classic(std::ostringstream());
  out << at_;
  for (const std::uint32_t entry : state_) out << ' ' << entry;
  return out.str();
}

void GlibcRandom::restore(const std::string& state) {
  auto in = classic(std::istringstream(state));
  in >> at_;
  for (std::uint32_t& entry : state_) in >> entry;
  if (!in || at_ >= n_state) refuse();
}

std::string PortableRandom::state() const {
  auto out = classic(std::ostringstream());
  out << engine_;
  return out.str();
}

void PortableRandom::restore(const std::string& state) {
  auto in = classic(std::istringstream(state));
  in >> engine_;
  if (!in) refuse();
}

}  // namespace ceinms_torch::legacy
