#include "ceinms_torch/fused/simulation.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace ceinms_torch::fused {

struct ThreadPool::State {
  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<std::uint64_t> round{0};
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> busy{0};
  std::size_t n = 0;
  const std::function<void(std::size_t, std::size_t)>* f = nullptr;
  bool stop = false;
  std::vector<std::thread> threads;

  void work(std::size_t thread) {
    for (std::size_t i = next.fetch_add(1); i < n; i = next.fetch_add(1)) (*f)(i, thread);
  }

  void loop(std::size_t thread) {
    std::uint64_t seen = 0;
    for (;;) {
      constexpr int spins = 4000;  // some 20 us: the pause between two passes of a calibration
      for (int i = 0; i < spins && round.load(std::memory_order_acquire) == seen; ++i) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
      }
      if (round.load(std::memory_order_acquire) == seen) {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return round.load() != seen || stop; });
      }
      if (stop) return;
      seen = round.load(std::memory_order_acquire);
      work(thread);
      busy.fetch_sub(1, std::memory_order_release);
    }
  }
};

ThreadPool::ThreadPool(std::size_t n_thread)
    : n_thread_(std::max<std::size_t>(n_thread, 1)), state_(std::make_unique<State>()) {
  for (std::size_t i = 1; i < n_thread_; ++i)
    state_->threads.emplace_back([state = state_.get(), i] { state->loop(i); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
    state_->round.fetch_add(1);
  }
  state_->wake.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
}

void ThreadPool::run(std::size_t n, const std::function<void(std::size_t, std::size_t)>& f) {
  State& state = *state_;
  if (state.threads.empty() || n < 2) {
    for (std::size_t i = 0; i < n; ++i) f(i, 0);
    return;
  }
  {
    const std::lock_guard lock(state.mutex);
    state.n = n;
    state.f = &f;
    state.next.store(0);
    state.busy.store(state.threads.size());
    state.round.fetch_add(1, std::memory_order_release);
  }
  state.wake.notify_all();
  state.work(0);
  while (state.busy.load(std::memory_order_acquire) > 0) std::this_thread::yield();
}

}  // namespace ceinms_torch::fused
