/// The threads of the fused engine.

#include "ceinms_torch/engine/simulation.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <doctest/doctest.h>
#include <new>
#include <vector>

namespace ceinms_torch::engine {
namespace {

TEST_CASE("threads of a pool share the work, round after round") {
  for (const std::size_t n_thread : {std::size_t{1}, std::size_t{2}, std::size_t{5}}) {
    ThreadPool pool(n_thread);
    CHECK(pool.n_thread() == n_thread);
    for (std::size_t round = 0; round < 2000; ++round) {
      const std::size_t n = round % 23;
      std::vector<int> visits(n, 0);  // each element belongs to whoever works on it
      std::atomic<bool> in_range{true};
      pool.run(n, [&](std::size_t i, std::size_t thread) {
        ++visits[i];
        if (thread >= n_thread) in_range = false;
      });
      REQUIRE(in_range);
      REQUIRE(std::all_of(visits.begin(), visits.end(), [](int count) { return count == 1; }));
    }
  }
}

TEST_CASE("what a task throws arrives where the work was asked for, once all are done") {
  for (const std::size_t n_thread : {std::size_t{1}, std::size_t{4}}) {
    ThreadPool pool(n_thread);
    for (int round = 0; round < 200; ++round) {
      std::atomic<int> done{0};
      CHECK_THROWS_AS(pool.run(20,
                               [&](std::size_t i, std::size_t) {
                                 if (i % 7 == 3) throw std::bad_alloc();
                                 ++done;
                               }),
                      std::bad_alloc);
      if (n_thread > 1) CHECK(done == 17);
      done = 0;
      pool.run(20, [&](std::size_t, std::size_t) { ++done; });
      CHECK(done == 20);
    }
  }
}

TEST_CASE("pools may be thrown away at any time") {
  for (int i = 0; i < 200; ++i) {
    ThreadPool pool(3);
    std::atomic<int> sum{0};
    if (i % 3 != 0) pool.run(7, [&](std::size_t j, std::size_t) { sum += static_cast<int>(j); });
    REQUIRE(sum == (i % 3 != 0 ? 21 : 0));
  }
}

}  // namespace
}  // namespace ceinms_torch::engine
