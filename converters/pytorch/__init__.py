"""PyTorch models to graphs: ``.pt2`` files without PyTorch, live modules through ``torch.export``."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nn2hls.converters.pytorch.foreign import refuse
from nn2hls.converters.pytorch.lower import lower
from nn2hls.converters.pytorch.pquant import standing_in
from nn2hls.converters.pytorch.pt2_file import read_file, read_stream
from nn2hls.errors import ModelError
from nn2hls.graph.graph import Graph


def load_file(path: str | Path) -> Graph:
    """The graph of a ``.pt2`` file as ``torch.export.save`` writes it; PyTorch is not imported and nothing is unpickled.

    The first axis of every input is the batch; its exported size, fixed or symbolic, does not matter.

    Raises:
        ModelError: The file is missing, damaged, pickled, of another version, or its inputs have no batch axis.
        UnsupportedError: Lists all operators that are not supported.
    """
    return lower(read_file(Path(path)))


def load_live(module: Any, example_inputs: Any = None, input_shape: Sequence[Any] | None = None) -> Graph:
    """The graph of a ``torch.nn.Module`` in evaluation mode; the module is not changed.

    Args:
        module: The module, on any device.
        example_inputs: A tensor or array, or a tuple of them, with the batch as first axis.
        input_shape: Instead of example inputs: the shape without batch axis (a leading None is taken for the batch), or a
            list of such shapes for several inputs.

    Raises:
        ModelError: Neither or both are given, or ``torch.export`` cannot trace the module.
        UnsupportedError: Lists all operators that are not supported.
    """
    with _evaluating(module), standing_in(module) as (network, exact):
        kinds = ((path, f"{type(m).__module__}.{type(m).__name__}") for path, m in network.named_modules())
        refuse(kinds, type(module).__name__)
        return _exported(network, example_inputs, input_shape, exact, type(module).__name__)


def _exported(module: Any, example_inputs: Any, input_shape: Sequence[Any] | None, exact: frozenset[str], where: str) -> Graph:
    """What ``torch.export`` makes of a module of PyTorch's own; ``exact``: paths whose weights a quantised model has so."""
    import torch

    if (example_inputs is None) == (input_shape is None):
        raise ModelError(
            "A PyTorch module does not know the shape of its input.",
            where=where,
            fix="Give either example_inputs, or input_shape without the batch axis, such as input_shape=(16,).",
        )
    if example_inputs is None:
        example_inputs = _zeros(module, input_shape or ())
    given = tuple(example_inputs) if isinstance(example_inputs, (tuple, list)) else (example_inputs,)
    like = _parameter(module)
    examples = tuple(torch.as_tensor(x).to(like) if isinstance(x, np.ndarray) else x for x in given)
    stream = io.BytesIO()
    with _evaluating(module), torch.no_grad(), warnings.catch_warnings():
        # A pruned module sets its masked weight before every call; that, and PyTorch's own deprecations, concern nobody here.
        warnings.filterwarnings("ignore", "The tensor attribute", UserWarning)
        warnings.filterwarnings("ignore", category=FutureWarning)
        try:
            torch.export.save(torch.export.export(module, examples), stream)
        except (RuntimeError, TypeError, ValueError, AssertionError, ArithmeticError, torch._dynamo.exc.Unsupported) as error:
            place, first = _failing(module, examples), str(error).splitlines()[:1]
            fix = "Control flow that depends on values must be left out of the module, and the example inputs must fit it."
            raise ModelError(
                f"torch.export cannot trace it: {first[0].rstrip('.') if first else type(error).__name__}.",
                where=f"{where}: {place}" if place else where,
                fix=fix,
            ) from error
    return _saved(stream, where, exact)


def load_program(program: Any) -> Graph:
    """The graph of a ``torch.export.ExportedProgram``; errors as for :func:`load_file`."""
    import torch

    stream = io.BytesIO()
    torch.export.save(program, stream)
    return _saved(stream, type(program).__name__)


def _saved(stream: io.BytesIO, where: str, exact: frozenset[str] = frozenset()) -> Graph:
    stream.seek(0)
    return lower(read_stream(stream, where), exact)


def _zeros(module: Any, shape: Sequence[Any]) -> tuple[Any, ...]:
    """A batch of two zeros for each shape, like the module's first floating-point parameter."""
    import torch

    shapes = list(shape) if shape and isinstance(shape[0], (tuple, list)) else [tuple(shape)]
    like = _parameter(module)
    sizes = [tuple(s[1:] if s and s[0] is None else s) for s in shapes]
    return tuple(torch.zeros(2, *s, dtype=like.dtype, device=like.device) for s in sizes)


def _parameter(module: Any) -> Any:
    """The first floating-point parameter: inputs get its element type and device."""
    import torch

    return next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(()))


def _failing(module: Any, examples: Sequence[Any]) -> str:
    """The innermost module, by its name, that cannot be called on the examples; empty where all can."""
    entered: list[str] = []

    def enter(name: str) -> Any:
        return lambda *_: entered.append(name)

    def leave(*_: Any) -> None:
        entered.pop()

    hooks = []
    for name, part in module.named_modules():
        hooks.append(part.register_forward_pre_hook(enter(name)))
        hooks.append(part.register_forward_hook(leave))
    try:
        module(*examples)
    except Exception:  # whatever the user's own code raises
        return entered[-1] if entered else ""
    finally:
        for hook in hooks:
            hook.remove()
    return ""


@contextmanager
def _evaluating(module: Any) -> Iterator[None]:
    """The module in evaluation mode; each submodule gets its own mode back."""
    modes = {m: m.training for m in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for m, training in modes.items():
            m.training = training
