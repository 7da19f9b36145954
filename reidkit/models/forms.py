"""Faster forms of a network that is only evaluated: folded batch norms, channels-last layout, bf16, compiled code.

The network itself is never touched: a form is a copy. Its features differ from the plain ones by rounding only, which is why
`reidkit.models.probe` compares both before one is used.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from types import MethodType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from reidkit.errors import ModelError, nearest_name

Embed = Callable[[Tensor], Tensor]

FORMS = ("float32", "bf16", "float32-folded", "bf16-folded", "float32-compiled", "bf16-compiled")


def module_of(embed: Embed) -> nn.Module | None:
    """The module behind `embed`, when it is one or a bound method of one."""
    owner = embed if isinstance(embed, nn.Module) else getattr(embed, "__self__", None)
    return owner if isinstance(owner, nn.Module) else None


def in_form(embed: Embed, form: str, images: Float[Tensor, "b 3 h w"]) -> Embed:
    """`embed` in another form: takes float32 images on the network's device, like the original.

    Args:
        embed: a module in evaluation mode, or a bound method of one. Plain functions have ``"float32"`` and ``"bf16"`` only.
        form: ``"float32"`` is `embed` itself and ``"bf16"`` the same under autocast. ``"-folded"`` is a copy in channels-last
            layout whose convolutions contain the batch norms behind them, in bf16 with ``"bf16-folded"``. ``"-compiled"`` is
            that copy as code made by ``torch.compile`` with frozen weights, for batches as large as the first one; it takes
            5 to 30 seconds to make, on the first call.
        images: a few images, forwarded once to see which batch norm follows which convolution.

    Raises:
        ModelError: for an unknown form, a copy of a plain function, or code to be compiled where there is no compiler.
    """
    if form not in FORMS:
        raise ModelError(
            f"precision {form!r} is unknown.",
            rule=f"Precisions: {FORMS}, and 'auto' when a table is extracted.",
            action=nearest_name(form, FORMS),
        )
    kind, _, how = form.partition("-")
    own = embed
    if how:
        own = _folded(embed, images, torch.bfloat16 if kind == "bf16" else torch.float32)
    if how == "compiled":
        if not has_compiler():
            raise ModelError(
                f"{form!r} needs a C++ compiler, and none was found.",
                rule="`torch.compile` writes C++ on a CPU.",
                action=f"Install g++, set CXX, or use {kind + '-folded'!r}.",
            )
        own = torch.compile(own, dynamic=False, options={"freezing": True})
    return partial(_forward, own, kind == "bf16", how != "")


def has_compiler() -> bool:
    """Whether the C++ compiler that ``torch.compile`` would call is there (``CXX``, else g++, clang++ or c++)."""
    named = os.environ.get("CXX")
    return any(shutil.which(name) for name in ((named,) if named else ("g++", "clang++", "c++")))


def fold_batch_norms(module: nn.Module, forward: Callable[[], object]) -> int:
    """Put every batch norm that directly follows a convolution into that convolution, in place; returns how many.

    With y = s (Wx + b - m) + t in evaluation mode, W' = sW and b' = s (b - m) + t. Which norm follows which convolution is
    seen in one forward pass: it takes the very tensor that the convolution gave. Modules that run more than once in a pass
    stay as they are.

    Args:
        module: in evaluation mode.
        forward: runs it once.
    """
    names = {part: name for name, part in module.named_modules()}
    given: dict[int, tuple[nn.Conv2d, Tensor]] = {}
    pairs: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []
    calls: dict[nn.Module, int] = {}

    def gave(part: nn.Module, _: object, output: Tensor) -> None:
        calls[part] = calls.get(part, 0) + 1
        given[id(output)] = part, output  # type: ignore[assignment]

    def takes(part: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        calls[part] = calls.get(part, 0) + 1
        if id(inputs[0]) in given and part.running_mean is not None:
            pairs.append((given[id(inputs[0])][0], part))  # type: ignore[arg-type]

    hooks = [part.register_forward_hook(gave) for part in names if type(part) is nn.Conv2d]
    hooks += [part.register_forward_pre_hook(takes) for part in names if type(part) is nn.BatchNorm2d]
    try:
        forward()
    finally:
        for hook in hooks:
            hook.remove()
    once = [(convolution, norm) for convolution, norm in pairs if calls[convolution] == calls[norm] == 1]
    for convolution, norm in once:
        module.set_submodule(names[convolution], fuse_conv_bn_eval(convolution, norm))
        module.set_submodule(names[norm], nn.Identity())
    return len(once)


def _folded(embed: Embed, images: Tensor, dtype: torch.dtype) -> Embed:
    """`embed` of a folded, channels-last copy; its convolutions hold weights of `dtype`."""
    module = module_of(embed)
    if module is None:
        raise ModelError(
            f"The network behind {embed!r} cannot be seen.",
            rule="A form is a copy of a module.",
            action="Pass the module or its bound method, such as `embedder.embed`, or precision='float32'.",
        )
    copied = deepcopy(module).requires_grad_(False)
    own: Embed = copied if embed is module else MethodType(embed.__func__, copied)  # type: ignore[attr-defined]
    fold_batch_norms(copied, lambda: own(images))
    copied.to(memory_format=torch.channels_last)
    for part in copied.modules():
        if isinstance(part, nn.Conv2d):
            part.to(dtype)
    return own


def _forward(own: Embed, rounded: bool, copied: bool, images: Tensor) -> Any:
    """Features of a batch: under autocast when `rounded`, in channels-last layout when `copied`."""
    if copied:
        images = images.contiguous(memory_format=torch.channels_last)
    with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=rounded):
        return own(images)
