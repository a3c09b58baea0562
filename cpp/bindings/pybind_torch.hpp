/// pybind.hpp, and at::Tensor as torch.Tensor in both directions: no copy, autograd graph kept.
#pragma once

// First, so that our own pybind11 is used and not the older copy among torch's headers.
#include "pybind.hpp"

#include <torch/csrc/utils/pybind.h>
