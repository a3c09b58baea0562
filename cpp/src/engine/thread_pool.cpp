#include "ceinms_torch/engine/simulation.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

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
  std::atomic<bool> stop{false};
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
      (*f)(i, thread);
      n_done.fetch_add(1, std::memory_order_release);
      now = ticket.load(std::memory_order_acquire);
    }
  }

  void loop(std::size_t thread) {
    std::uint64_t seen = 0;
    while (!stop.load(std::memory_order_acquire)) {
      constexpr int spins = 4000;  // some 50 us: the pause between two passes of a calibration
      for (int i = 0; i < spins && round() == seen; ++i) pause();
      if (round() == seen) {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return round() != seen || stop.load(); });
      }
      seen = round();
      work(thread);
    }
  }
};

ThreadPool::ThreadPool(std::size_t n_thread)
    : n_thread_(std::max<std::size_t>(n_thread, 1)), state_(std::make_unique<State>()) {
  for (std::size_t i = 1; i < n_thread_; ++i)
    state_->threads.emplace_back([state = state_.get(), i] { state->loop(i); });
}

ThreadPool::~ThreadPool() {
  state_->stop.store(true);
  state_->publish(0, nullptr);  // for those that spin
  state_->wake.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
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
}

}  // namespace ceinms_torch::engine
