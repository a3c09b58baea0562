#include "ceinms_torch/engine/simulation.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace ceinms_torch::engine {
namespace {

void pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

/// A round is one call of `run`. Whoever is awake takes tasks; `run` waits for tasks that were
/// taken, not for threads, so that a thread that wakes late delays nobody.
struct ThreadPool::State {
  using Task = std::function<void(std::size_t, std::size_t)>;

  std::mutex mutex;
  std::condition_variable wake;
  /// Number of the round (upper half) and how many tasks are left: one number, so that a late
  /// thread cannot take a task of a round other than the one it looked at.
  std::atomic<std::uint64_t> ticket{0};
  std::atomic<std::size_t> n{0};
  std::atomic<const Task*> task{nullptr};
  std::atomic<std::size_t> n_done{0};
  /// Threads of a higher number go; that of `run` is 0.
  std::atomic<std::size_t> last{0};
  std::exception_ptr error;  ///< the first of the round, under the mutex
  std::vector<std::thread> threads;

  std::uint64_t round() const noexcept { return ticket.load(std::memory_order_acquire) >> 32U; }

  /// Begin a round of `count` tasks.
  void publish(std::size_t count, const Task* f) {
    const std::lock_guard lock(mutex);
    n_done.store(0, std::memory_order_relaxed);
    task.store(f, std::memory_order_relaxed);
    n.store(count, std::memory_order_relaxed);
    ticket.store((round() + 1) << 32U | count, std::memory_order_release);
  }

  /// Let all but so many threads go.
  void keep(std::size_t count) {
    last.store(count);
    publish(0, nullptr);  // for those that wait
    wake.notify_all();
    for (std::size_t i = count; i < threads.size(); ++i) threads[i].join();
    threads.resize(count);
  }

  /// Take tasks until the round has none left.
  void work(std::size_t thread) {
    std::uint64_t now = ticket.load(std::memory_order_acquire);
    while (const std::size_t left = now & 0xffffffffU) {
      const std::size_t i = n.load(std::memory_order_acquire) - left;
      const Task* f = task.load(std::memory_order_acquire);
      // Succeeds only if the round is still the one that n and task were read in.
      if (!ticket.compare_exchange_weak(now, now - 1, std::memory_order_acq_rel,
                                        std::memory_order_acquire))
        continue;
      try {
        (*f)(i, thread);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
      }
      n_done.fetch_add(1, std::memory_order_release);
      now = ticket.load(std::memory_order_acquire);
    }
  }

  void loop(std::size_t thread) {
    std::uint64_t seen = 0;
    while (thread <= last.load(std::memory_order_acquire)) {
      constexpr int spins = 4000;  // some 50 us: the pause between two passes of a calibration
      for (int i = 0; i < spins && round() == seen; ++i) pause();
      if (round() == seen) {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return round() != seen; });
      }
      seen = round();
      work(thread);
    }
  }
};

ThreadPool::ThreadPool(std::size_t n_thread) : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.last.store(n_thread);
  try {
    for (std::size_t i = 1; i < n_thread; ++i)
      state.threads.emplace_back([&state, i] { state.loop(i); });
  } catch (const std::exception&) {
    // There is no room for another, and none to compute in: a thread's stack and its memory are
    // address space, which batch systems limit. No more stay than can compute at a time.
    const std::size_t most = std::max(std::thread::hardware_concurrency(), 1U) - 1;
    state.keep(std::min(state.threads.size() / 2, most));
  }
}

ThreadPool::~ThreadPool() {
  state_->keep(0);
}

std::size_t ThreadPool::n_thread() const noexcept {
  return state_->threads.size() + 1;
}

void ThreadPool::run(std::size_t n, const std::function<void(std::size_t, std::size_t)>& f) {
  State& state = *state_;
  if (state.threads.empty() || n < 2) {
    for (std::size_t i = 0; i < n; ++i) f(i, 0);
    return;
  }
  state.publish(n, &f);
  state.wake.notify_all();
  state.work(0);
  constexpr int spins = 1000;
  for (int i = 0; state.n_done.load(std::memory_order_acquire) < n; ++i) {
    if (i < spins)
      pause();
    else
      std::this_thread::yield();
  }
  if (state.error) std::rethrow_exception(std::exchange(state.error, nullptr));
}

}  // namespace ceinms_torch::engine
