/// @file simulation.hpp
/// A set of trials laid out in lanes: simulate all of it, with gradients or sensitivities.
#pragma once

#include "ceinms_torch/engine/lanes.hpp"
#include "ceinms_torch/kernel/trial.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <vector>

namespace ceinms_torch::engine {

/// Numbers that begin on a cache line, as packs like them.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  /// @throws std::bad_alloc where there is no room for it, or no number for its bytes
  explicit AlignedBuffer(std::size_t size, double value = 0.0);
  double* data() noexcept { return data_.get(); }
  const double* data() const noexcept { return data_.get(); }
  std::size_t size() const noexcept { return size_; }
  double& operator[](std::size_t i) noexcept { return data_[i]; }
  double operator[](std::size_t i) const noexcept { return data_[i]; }

 private:
  static constexpr std::align_val_t alignment{64};
  struct Delete {
    void operator()(double* data) const noexcept { ::operator delete[](data, alignment); }
  };
  std::unique_ptr<double[], Delete> data_;
  std::size_t size_ = 0;
};

/// Curves as the backends look them up; owns the tables.
class CurveTables {
 public:
  explicit CurveTables(const kernel::MtuCurves<kernel::PiecewiseCubic>& curves);
  const CurveViews& views() const noexcept { return views_; }

 private:
  TableView view(const kernel::PiecewiseCubic& table);

  std::vector<AlignedBuffer> buffers_;
  CurveViews views_;
};

/// One lane: an MTU in a trial, and where it is.
struct Lane {
  std::size_t trial;
  std::size_t mtu;
  std::size_t block;
  std::size_t place;  ///< in its block, 0..width - 1
};

/// The data of all trials in lanes. Nothing changes after construction but the excitations and
/// their samples, which depend on em_delay.
class LaneLayout {
 public:
  /// Copies everything out of `trials`. Lanes are ordered by trial length, so that a block holds
  /// lanes of similar length.
  LaneLayout(const Backend& backend, const std::vector<kernel::TrialInput>& trials);

  const Backend& backend() const noexcept { return *backend_; }
  std::size_t n_mtu() const noexcept { return n_mtu_; }
  std::size_t n_trial() const noexcept { return n_step_.size(); }
  std::size_t n_step(std::size_t trial) const noexcept { return n_step_[trial]; }
  std::size_t n_row(std::size_t trial) const noexcept { return signals_[trial].n_row; }
  std::size_t n_block() const noexcept { return blocks_.size(); }
  /// Lane of an MTU in a trial.
  const Lane& lane(std::size_t trial, std::size_t mtu) const noexcept {
    return lanes_[trial * n_mtu_ + mtu];
  }
  const LaneBlock& block(std::size_t i) const noexcept { return blocks_[i].view; }
  /// The lanes of a block; fewer than the width in the last one.
  const std::vector<Lane>& lanes_of(std::size_t i) const noexcept { return blocks_[i].lanes; }

  /// Replace an MTU's excitation in a trial by another of the same size: row r is
  /// excitation[r * row_stride]. It acts from the next sampling on.
  void load_excitation(std::size_t trial, std::size_t mtu, const double* excitation,
                       std::size_t row_stride);

  /// Sample the excitations with each MTU's delay (n_mtu) [s]; nothing if both are the same as
  /// before. Lengthens the run-in where needed. Returns whether anything changed.
  /// @throws InputError where a trial begins after its excitations
  bool sample_excitations(const double* em_delay);

  /// A lane's excitation at a step.
  double sample(const Lane& lane, std::size_t step) const noexcept {
    return blocks_[lane.block].excitation[place_of(lane, step)];
  }
  void set_sample(const Lane& lane, std::size_t step, double excitation) noexcept {
    blocks_[lane.block].excitation[place_of(lane, step)] = excitation;
  }

  /// Chain rule from the samples' derivatives of a lane (column `lane.place` of a (n_sample,
  /// width) table) to its excitation rows (n_row), which are added to.
  void add_to_rows(const Lane& lane, const double* by_sample, double* by_row,
                   std::size_t row_stride) const;

  /// Where a lane's steps begin among its block's samples.
  std::size_t n_run_in(const Lane& lane) const noexcept {
    return blocks_[lane.block].view.n_run_in;
  }

 private:
  struct Signal {  ///< one trial's excitation
    std::size_t n_row;
    double start;
    double rate;
    std::vector<double> time;        ///< (n_step)
    std::vector<double> excitation;  ///< (n_mtu, n_row)
  };
  struct Block {
    LaneBlock view;
    std::vector<Lane> lanes;
    AlignedBuffer mtu_length, mtu_velocity, time_step, excitation, excitation_by_delay;
    std::vector<std::int64_t> third_sample;
    std::vector<std::uint8_t> any_third;
  };
  void fill(Block& block, const std::vector<kernel::TrialInput>& trials);
  void sample(Block& block);
  kernel::SignalTimes times_of(const Lane& lane) const noexcept {
    const Signal& signal = signals_[lane.trial];
    return {signal.time.data(), signal.time.size(), signal.n_row, signal.start, signal.rate};
  }
  std::size_t place_of(const Lane& lane, std::size_t step) const noexcept {
    return (blocks_[lane.block].view.n_run_in + step) * backend_->width + lane.place;
  }

  const Backend* backend_;
  std::size_t n_mtu_;
  std::vector<std::size_t> n_step_;  ///< per trial
  std::vector<Signal> signals_;
  std::vector<Lane> lanes_;  ///< by trial, then MTU
  std::vector<Block> blocks_;
  std::vector<double> em_delay_;
  bool is_sampled_ = false;  ///< the samples belong to em_delay_ and the excitations
};

/// Runs f(i) for i in [0, n) on some threads, this one among them. Threads live as long as the
/// pool and spin for a moment before they sleep: a calibration asks for work every 100 us.
class ThreadPool {
 public:
  /// Starts fewer where the system does not let it start so many; see n_thread.
  explicit ThreadPool(std::size_t n_thread);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// How many there are, this one among them.
  std::size_t n_thread() const noexcept;
  /// What a call of f(i, thread) throws is thrown once all are done; of several, one.
  void run(std::size_t n, const std::function<void(std::size_t, std::size_t)>& f);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Everything one thread of control needs to simulate a layout again and again.
///
/// Only blocks whose parameters changed since the last call are simulated again.
class Workspace {
 public:
  /// Work on one block, on the thread that has it in its cache.
  using BlockWork = std::function<void(std::size_t block)>;

  /// @param n_thread  at most; no more than there are blocks
  Workspace(LaneLayout layout, std::shared_ptr<const CurveTables> curves,
            kernel::SimulationOptions options, std::size_t n_thread);

  const LaneLayout& layout() const noexcept { return layout_; }

  /// LaneLayout::load_excitation; the next forward pass simulates everything again.
  void load_excitation(std::size_t trial, std::size_t mtu, const double* excitation,
                       std::size_t row_stride) {
    layout_.load_excitation(trial, mtu, excitation, row_stride);
  }

  /// Replace a lane's excitations at the steps, after a forward pass and until delays change.
  void load_samples(const Lane& lane, const double* sample, std::size_t stride) {
    const std::size_t n_step = layout_.n_step(lane.trial);
    for (std::size_t k = 0; k < n_step; ++k) layout_.set_sample(lane, k, sample[k * stride]);
    buffers_[lane.block].is_current = false;
  }

  /// Simulate with parameters (n_parameter_kind, n_mtu), then work on every block.
  void forward(const double* parameters, const BlockWork& after = {});

  /// Work on some steps of one block, as BlockWork.
  using WindowBlockWork = std::function<void(std::size_t block, const kernel::StepRange& steps)>;
  /// Work on some steps of all blocks; those of a block that is shorter end before.
  using WindowWork = std::function<void(const kernel::StepRange& steps)>;

  /// `forward` with derivatives of some quantities by `kinds` of each lane's MTU, `window` steps at
  /// a time, after which every block is worked on, and then all of them together. Only then are
  /// there sensitivities: memory does not grow with the number of steps.
  ///
  /// @throws std::invalid_argument  where there are more than max_sensitivities kinds
  void sensitivities(const double* parameters, const std::vector<kernel::ParameterKind>& kinds,
                     const std::vector<kernel::Quantity>& quantities,
                     const WindowBlockWork& after_block, const WindowWork& after);
  std::size_t window() const noexcept { return window_; }

  /// One lane's trajectory of the last forward pass: column `place` of a (n_step, width) table.
  LaneTrace trace(std::size_t block) const noexcept { return buffers_[block].trace; }
  /// Row 0 is the first step of the window.
  LaneSensitivities sensitivities(std::size_t block) const noexcept {
    return buffers_[block].sensitivities;
  }

  /// Seeds of a block for `reverse`, (n_step, width) each, zero until the caller adds to them.
  /// Those that nobody asked for since the last clear_seeds cost nothing.
  double* seed(std::size_t block, kernel::Quantity quantity);
  void clear_seeds() noexcept;
  void clear_seeds(std::size_t block) noexcept;

  /// Work on every block, for instance on its seeds, then derivatives of the seeded scalar by
  /// parameters (n_parameter_kind, n_mtu), overwritten. Needs a forward pass before.
  void reverse(double* gradient, const BlockWork& before = {});
  /// Derivatives by the samples of a block, after reverse: (n_sample, width).
  const double* by_sample(std::size_t block) const noexcept {
    return buffers_[block].by_sample.data();
  }

  /// The derivatives of a block's steps, (n_step, n_slope, width), at the last forward pass.
  void linearise(std::size_t block, double* slopes) const {
    const Buffers& b = buffers_[block];
    layout_.backend().linearise(curves_->views(), b.parameters.data(), layout_.block(block),
                                options_, b.trace, slopes);
  }

  ThreadPool& pool() noexcept { return *pool_; }
  const ThreadPool& pool() const noexcept { return *pool_; }
  /// For a caller that has more to do at a time than there are blocks.
  void start_threads(std::size_t n_thread) { pool_ = std::make_unique<ThreadPool>(n_thread); }

 private:
  struct Seed {
    AlignedBuffer table;  ///< nothing until somebody asks for it
    bool in_use = false;  ///< else it is zero
  };
  struct Buffers {
    AlignedBuffer parameters, gradient, values, by_sample, derivatives, state;
    kernel::PerQuantity<Seed> seeds;
    LaneTrace trace;
    LaneSensitivities sensitivities;
    bool is_current = false;  ///< the trace belongs to `parameters`
  };
  void allocate();
  bool load_parameters(const double* parameters, std::size_t block);

  LaneLayout layout_;
  std::shared_ptr<const CurveTables> curves_;
  kernel::SimulationOptions options_;
  std::vector<Buffers> buffers_;
  std::size_t window_;  ///< the fewer the more trials there are
  std::unique_ptr<ThreadPool> pool_;
};

}  // namespace ceinms_torch::engine
