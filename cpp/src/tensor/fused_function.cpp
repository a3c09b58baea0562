#include "ceinms_torch/tensor/fused_function.hpp"

#include "ceinms_torch/engine/simulation.hpp"
#include "ceinms_torch/tensor/recurrence.hpp"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/custom_function.h>

#include <array>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

namespace ceinms_torch::tensor {
namespace {

using engine::Lane;
using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

constexpr std::size_t n_quantity = kernel::all_quantities.size();

std::size_t extent(const at::Tensor& tensor, std::int64_t axis) {
  return static_cast<std::size_t>(tensor.size(axis));
}

/// Steps of a trial up to its last valid one.
std::size_t length_of(const at::Tensor& is_valid) {
  return static_cast<std::size_t>(is_valid.nonzero().max().item<std::int64_t>()) + 1;
}

engine::LaneLayout to_layout(const TrialBatch& batch, const engine::Backend& backend) {
  std::vector<at::Tensor> alive;
  const auto numbers = [&](const at::Tensor& tensor) {
    alive.push_back(tensor.contiguous());
    return alive.back().const_data_ptr<double>();
  };
  std::vector<kernel::TrialInput> trials;
  for (std::int64_t i = 0; i < batch.mtu_length.size(2); ++i)
    trials.push_back({.n_step = length_of(batch.is_valid.select(1, i)),
                      .n_row = extent(batch.excitation, 0),
                      .n_mtu = extent(batch.mtu_length, 1),
                      .time = numbers(batch.time.select(1, i)),
                      .mtu_length = numbers(batch.mtu_length.select(2, i)),
                      .mtu_velocity = numbers(batch.mtu_velocity.select(2, i)),
                      .excitation = numbers(batch.excitation.select(2, i)),
                      .excitation_start = batch.excitation_start[i].item<double>(),
                      .excitation_rate = batch.excitation_rate[i].item<double>()});
  return {backend, trials};
}

/// What an engine is built from, excitations apart.
std::vector<at::Tensor> sources(const Curves& curves, const TrialBatch& batch) {
  std::vector<at::Tensor> result{batch.time,
                                 batch.mtu_length,
                                 batch.mtu_velocity,
                                 batch.excitation_start,
                                 batch.excitation_rate,
                                 batch.is_valid};
  for (const Table* table : {&curves.active_force_length, &curves.passive_force_length,
                             &curves.force_velocity, &curves.tendon_force_strain}) {
    result.push_back(table->knots);
    result.push_back(table->pieces);
  }
  return result;
}

/// The trials of a batch laid out in lanes. A forward pass leaves its trajectories for the
/// backward one; where another pass came between the two, the first is done again.
class FusedEngine : public torch::CustomClassHolder {
 public:
  FusedEngine(const Curves& curves, const TrialBatch& batch, const FusedOptions& options)
      : options_(options),
        excitation_(batch.excitation.detach().clone(at::MemoryFormat::Contiguous)),
        n_step_(batch.mtu_length.size(0)),
        workspace_(to_layout(batch, *options.backend),
                   std::make_shared<const engine::CurveTables>(numbers_of(curves)),
                   options.simulation, options.n_thread) {
    for (const at::Tensor& source : sources(curves, batch))
      sources_.push_back(source.detach().clone());
  }

  /// Whether a call with these arguments may use this engine. Numbers are compared, as they may
  /// have changed in place.
  bool fits(const Curves& curves, const TrialBatch& batch, const FusedOptions& options) const {
    if (options.backend != options_.backend || options.n_thread != options_.n_thread ||
        options.simulation.tendon != options_.simulation.tendon ||
        options.simulation.filter_start != options_.simulation.filter_start ||
        !batch.excitation.sizes().equals(excitation_.sizes()))
      return false;
    const std::vector<at::Tensor> now = sources(curves, batch);
    for (std::size_t i = 0; i < now.size(); ++i)
      if (!now[i].sizes().equals(sources_[i].sizes()) || !at::equal(now[i], sources_[i]))
        return false;
    return true;
  }

  /// All quantities, (n_step, n_mtu, n_trial) each.
  variable_list forward(const at::Tensor& parameters, const at::Tensor& excitation) {
    const std::lock_guard lock(mutex_);
    run(parameters, excitation);
    variable_list result;
    std::array<double*, n_quantity> out{};
    for (double*& data : out) {
      result.push_back(at::empty({n_step_, n_mtu(), n_trial()}, excitation_.options()));
      data = result.back().mutable_data_ptr<double>();
    }
    for_each_lane([&](const Lane& lane) {
      const engine::LaneTrace trace = workspace_.trace(lane.block);
      for (std::size_t i = 0; i < n_quantity; ++i)
        copy_out(lane, trace[kernel::all_quantities[i]], out[i]);
    });
    return result;
  }

  /// Derivatives by parameters and, if asked for, by excitations, given those by the quantities
  /// (undefined for zero).
  std::pair<at::Tensor, at::Tensor> backward(const at::Tensor& parameters,
                                             const at::Tensor& excitation,
                                             const variable_list& by_quantity,
                                             bool with_excitation) {
    const std::lock_guard lock(mutex_);
    run(parameters, excitation);
    workspace_.clear_seeds();
    std::array<at::Tensor, n_quantity> given;
    for (std::size_t i = 0; i < n_quantity; ++i)
      if (by_quantity[i].defined()) given[i] = by_quantity[i].contiguous();
    for_each_lane([&](const Lane& lane) {
      for (std::size_t i = 0; i < n_quantity; ++i)
        if (given[i].defined())
          copy_in(lane, given[i], workspace_.seed(lane.block, kernel::all_quantities[i]));
    });
    at::Tensor by_parameter = at::empty(parameters.sizes(), excitation_.options());
    workspace_.reverse(by_parameter.mutable_data_ptr<double>());
    if (!with_excitation) return {by_parameter, {}};
    at::Tensor by_row = at::zeros(excitation_.sizes(), excitation_.options());
    double* out = by_row.mutable_data_ptr<double>();
    for_each_lane([&](const Lane& lane) {
      workspace_.layout().add_to_rows(lane, workspace_.by_sample(lane.block), out + place(lane),
                                      static_cast<std::size_t>(n_mtu() * n_trial()));
    });
    return {by_parameter, by_row};
  }

 private:
  std::int64_t n_mtu() const { return excitation_.size(1); }
  std::int64_t n_trial() const { return excitation_.size(2); }
  /// Index of a lane in row 0 of a (n, n_mtu, n_trial) table.
  std::size_t place(const Lane& lane) const {
    return lane.mtu * extent(excitation_, 2) + lane.trial;
  }

  /// Leave the trajectories of these arguments in the workspace; blocks that have them stay.
  void run(const at::Tensor& parameters, const at::Tensor& excitation) {
    if (!at::equal(excitation, excitation_)) {
      check_numbers("excitation", excitation);
      excitation_.copy_(excitation);
      const double* rows = excitation_.const_data_ptr<double>();
      const std::size_t n_mtu = extent(excitation_, 1);
      const std::size_t n_trial = extent(excitation_, 2);
      for (std::size_t trial = 0; trial < n_trial; ++trial)
        for (std::size_t mtu = 0; mtu < n_mtu; ++mtu)
          workspace_.load_excitation(trial, mtu, rows + mtu * n_trial + trial, n_mtu * n_trial);
    }
    workspace_.forward(parameters.contiguous().const_data_ptr<double>());
  }

  template <class F>
  void for_each_lane(const F& f) {
    workspace_.pool().run(workspace_.layout().n_block(), [&](std::size_t block, std::size_t) {
      for (const Lane& lane : workspace_.layout().lanes_of(block)) f(lane);
    });
  }

  void copy_out(const Lane& lane, const double* table, double* out) const {
    const std::size_t width = options_.backend->width;
    const std::size_t stride = static_cast<std::size_t>(n_mtu() * n_trial());
    const std::size_t last = workspace_.layout().n_step(lane.trial) - 1;
    out += place(lane);
    for (std::size_t k = 0; k < static_cast<std::size_t>(n_step_); ++k)
      out[k * stride] = table[std::min(k, last) * width + lane.place];
  }

  void copy_in(const Lane& lane, const at::Tensor& by_quantity, double* seed) const {
    const std::size_t width = options_.backend->width;
    const std::size_t stride = static_cast<std::size_t>(n_mtu() * n_trial());
    const std::size_t last = workspace_.layout().n_step(lane.trial) - 1;
    const double* in = by_quantity.const_data_ptr<double>() + place(lane);
    for (std::size_t k = 0; k < static_cast<std::size_t>(n_step_); ++k)
      seed[std::min(k, last) * width + lane.place] += in[k * stride];
  }

  FusedOptions options_;
  std::vector<at::Tensor> sources_;
  at::Tensor excitation_;  ///< (n_row, n_mtu, n_trial), as in the layout
  std::int64_t n_step_;    ///< with padding
  std::mutex mutex_;
  engine::Workspace workspace_;
};

struct FusedFunction : torch::autograd::Function<FusedFunction> {
  static variable_list forward(AutogradContext* context, const at::Tensor& parameters,
                               const at::Tensor& excitation,
                               const c10::intrusive_ptr<FusedEngine>& engine) {
    context->save_for_backward({parameters, excitation});
    context->saved_data["engine"] = at::IValue::make_capsule(engine);
    context->set_materialize_grads(false);
    return engine->forward(parameters, excitation);
  }

  static variable_list backward(AutogradContext* context, const variable_list& by_quantity) {
    const variable_list inputs = context->get_saved_variables();
    const auto engine = c10::static_intrusive_pointer_cast<FusedEngine>(
        context->saved_data.at("engine").toCapsule());
    variable_list result(3);
    {
      const at::NoGradGuard no_grad;
      std::tie(result[0], result[1]) =
          engine->backward(inputs[0], inputs[1], by_quantity, context->needs_input_grad(1));
    }
    variable_list depends_on = inputs;
    for (const Variable& by : by_quantity)
      if (by.defined()) depends_on.push_back(by);
    for (Variable& gradient : result)
      if (gradient.defined())
        gradient = differentiable_once(
            gradient, depends_on,
            "simulate_fused: expected to be differentiated once, got a second derivative. The "
            "tensor engine has those of the stiff tendon.");
    return result;
  }
};

void check_fused(const Curves& curves, const at::Tensor& parameters, const TrialBatch& batch) {
  for (const at::Tensor* tensor : {&parameters, &batch.excitation, &batch.mtu_length,
                                   &batch.mtu_velocity, &batch.time, &batch.moment_arm})
    TORCH_CHECK_VALUE(tensor->is_cpu(), "simulate_fused: expected tensors on the CPU, got one on ",
                      tensor->device(), ". The tensor engine runs there.");
  if (!at::GradMode::is_enabled()) return;
  for (const at::Tensor& source : sources(curves, batch))
    TORCH_CHECK_VALUE(!source.requires_grad(),
                      "simulate_fused: expected gradients to parameters, excitation and "
                      "moment_arm, got another tensor that requires grad. The tensor engine "
                      "differentiates by lengths and velocities, too.");
}

}  // namespace

class FusedCache {
 public:
  c10::intrusive_ptr<FusedEngine> engine(const Curves& curves, const TrialBatch& batch,
                                         const FusedOptions& options) {
    const std::lock_guard lock(mutex_);
    if (!engine_ || !engine_->fits(curves, batch, options)) {
      check(batch);
      engine_ = c10::make_intrusive<FusedEngine>(curves, batch, options);
    }
    return engine_;
  }

 private:
  std::mutex mutex_;
  c10::intrusive_ptr<FusedEngine> engine_;
};

std::shared_ptr<FusedCache> make_fused_cache() {
  return std::make_shared<FusedCache>();
}

Simulation simulate_fused(const Curves& curves, const at::Tensor& parameters,
                          const TrialBatch& batch, const FusedOptions& options) {
  TORCH_CHECK_VALUE(options.n_thread > 0, "threads: expected at least 1, got 0.");
  check_parameters(parameters, batch);
  check_fused(curves, parameters, batch);
  const auto engine = batch.fused ? batch.fused->engine(curves, batch, options)
                                  : FusedCache().engine(curves, batch, options);
  const variable_list out = FusedFunction::apply(parameters, batch.excitation, engine);
  const kernel::Mtu<at::Tensor> mtu(split_parameters(parameters));
  Simulation result;
  for (std::size_t i = 0; i < n_quantity; ++i) result[kernel::all_quantities[i]] = out[i];
  result.pennation_angle = kernel::pennation_angle(mtu, result.fibre_length);
  result.joint_moment = joint_moments(batch, result.mtu_force);
  return result;
}

}  // namespace ceinms_torch::tensor
