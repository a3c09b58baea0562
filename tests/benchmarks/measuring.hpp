/// @file measuring.hpp
/// Clocks, repetitions and JSON for the benchmarks.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <ctime>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace ceinms_torch::benchmarks {

/// Which time counts: that of the calling thread, which other programs do not lengthen, or the
/// wall's, where several threads work.
enum class Clock { thread_cpu, wall };

inline double now(Clock clock) {
#if defined(CLOCK_THREAD_CPUTIME_ID)
  if (clock == Clock::thread_cpu) {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }
#endif
  const auto time = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(time).count();
}

/// Seconds of one call.
struct Timing {
  double best;
  double median;
};

/// Times functions in turns, so that a slow minute of the machine slows all of them and ratios
/// stand: after one call to warm up, at least `least` rounds and `seconds` in total.
inline std::vector<Timing> time_in_turns(Clock clock, double seconds,
                                         const std::vector<std::function<void()>>& functions,
                                         std::size_t least = 7) {
  std::vector<std::vector<double>> samples(functions.size());
  for (const auto& function : functions) function();
  const double begin = now(Clock::wall);
  while (samples.front().size() < least || now(Clock::wall) - begin < seconds)
    for (std::size_t i = 0; i < functions.size(); ++i) {
      const double before = now(clock);
      functions[i]();
      samples[i].push_back(now(clock) - before);
    }
  std::vector<Timing> result;
  for (std::vector<double>& all : samples) {
    std::sort(all.begin(), all.end());
    result.push_back({all.front(), all[all.size() / 2]});
  }
  return result;
}

/// Slope of log y over log x by least squares: y grows with x to this power.
inline double growth_exponent(const std::vector<double>& x, const std::vector<double>& y) {
  const auto n = static_cast<double>(x.size());
  double sx = 0, sy = 0, sxx = 0, sxy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double a = std::log(x[i]);
    const double b = std::log(y[i]);
    sx += a, sy += b, sxx += a * a, sxy += a * b;
  }
  return (n * sxy - sx * sy) / (n * sxx - sx * sx);
}

/// A JSON object, written member by member. Names and texts must need no escape.
class JsonObject {
 public:
  JsonObject& add(const std::string& name, double value) {
    char text[32];
    std::snprintf(text, sizeof(text), "%.6g", value);
    return raw(name, text);
  }
  JsonObject& add(const std::string& name, const std::string& value) {
    return raw(name, '"' + value + '"');
  }
  JsonObject& add(const std::string& name, const JsonObject& value) {
    return raw(name, value.text());
  }
  JsonObject& add(const std::string& name, const std::vector<JsonObject>& values) {
    std::string list;
    for (const JsonObject& value : values) list += (list.empty() ? "" : ", ") + value.text();
    return raw(name, '[' + list + ']');
  }

  std::string text() const { return '{' + members_ + '}'; }

 private:
  JsonObject& raw(const std::string& name, const std::string& value) {
    members_ += (members_.empty() ? "\"" : ", \"") + name + "\": " + value;
    return *this;
  }
  std::string members_;
};

}  // namespace ceinms_torch::benchmarks
