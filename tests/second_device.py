"""A device of torch that is not the CPU, for machines without a GPU.

Its numbers are kept in the CPU's memory, but its tensors have no memory of their own that a pointer
could reach, and an operation that gets one of them and one of the CPU fails, as on a GPU.
`switch_on` acts on the whole process.
"""

import torch
from torch.utils import _pytree as pytree
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "elsewhere"
aten = torch.ops.aten
# From one device to another.
TRANSFERS = {aten.copy_.default, aten._to_copy.default}


class ElsewhereTensor(torch.Tensor):
    """Numbers that the CPU must be sent before it can read them."""

    @staticmethod
    def __new__(cls, numbers):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            numbers.size(),
            strides=numbers.stride(),
            storage_offset=numbers.storage_offset(),
            dtype=numbers.dtype,
            layout=numbers.layout,
            device=torch.device(NAME, 0),
        )

    def __init__(self, numbers):
        self.numbers = numbers

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        tensors = [x for x in pytree.tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        if function not in TRANSFERS:
            strangers = [x for x in tensors if not isinstance(x, cls) and x.dim() > 0]
            if strangers:
                raise RuntimeError(f"{function}: expected all tensors on one device")
        device = kwargs.get("device")
        if device is not None:
            kwargs["device"] = "cpu"
        plain_args, plain_kwargs = pytree.tree_map_only(cls, lambda x: x.numbers, (args, kwargs))
        result = function(*plain_args, **plain_kwargs)
        if function._schema.is_mutable:
            return kwargs.get("out", args[0])
        if device is not None and torch.device(device).type == "cpu":
            return result
        return pytree.tree_map_only(torch.Tensor, cls, result)


def _empty(size, *, dtype=None, layout=None, device=None, pin_memory=None, memory_format=None):
    return ElsewhereTensor(torch.empty(size, dtype=dtype))


def _empty_strided(size, stride, *, dtype=None, layout=None, device=None, pin_memory=None):
    return ElsewhereTensor(torch.empty_strided(size, stride, dtype=dtype))


def _copy_from(source, target, non_blocking=False):
    numbers = [x.numbers if isinstance(x, ElsewhereTensor) else x for x in (source, target)]
    numbers[1].copy_(numbers[0])
    return target


def switch_on():
    """Make the device known to torch and return its name, which stays for good."""
    _setup_privateuseone_for_python_backend(NAME)
    # A library that is let go takes its operations with it.
    switch_on.library = torch.library.Library("aten", "IMPL")
    switch_on.library.impl("empty.memory_format", _empty, "PrivateUse1")
    switch_on.library.impl("empty_strided", _empty_strided, "PrivateUse1")
    switch_on.library.impl("_copy_from", _copy_from, "PrivateUse1")
    return NAME
