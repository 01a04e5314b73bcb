"""Modules of packages that quantise by operators of their own making: which file of theirs is read in their place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nn2hls.errors import UnsupportedError

_QONNX = (
    "Export it: brevitas.export.export_qonnx(model, args=example, export_path='model.onnx'); nn2hls reads that file as it is."
)
_PQUANT = (
    "Give nn2hls.load the module itself, of PQDense, PQConv1d and 2d, PQAvgPool1d and 2d, PQBatchNorm1d and 2d, PQLayerNorm, "
    "PQActivation, PQSoftmax and PQMultiheadAttention. Else, after apply_final_compression, export it, and read that file: "
    "pquant.core.torch.convert_to_onnx.convert_to_onnx(model, shape, 'model.onnx', use_qonnx=True). "
    "It rounds half to even, whatever the module does."
)
# The first word of a module's class, as Python or a program names it -> (the package, the way out).
PACKAGES = {"brevitas": ("Brevitas", _QONNX), "pquant": ("PQuantML", _PQUANT)}
_LISTED = 5


def package_of(kind: str) -> str:
    """The entry of :data:`PACKAGES` that a class belongs to, by its full name; empty where there is none."""
    first = kind.partition(".")[0]
    return first if first in PACKAGES else ""


def outermost(stack: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """Of modules (path, full name of the class), the outer ones first, the first one of such a package."""
    return next(((path, kind) for path, kind in stack if package_of(kind)), None)


def refuse(modules: Iterable[tuple[str, str] | None], where: str) -> None:
    """Refuse a network that holds modules (path, full name of the class) of such a package, by their names.

    Raises:
        UnsupportedError: Names the layers and the way out.
    """
    found = list(dict.fromkeys(_outer(m for m in modules if m is not None and package_of(m[1]))))
    if not found:
        return
    package, fix = PACKAGES[package_of(found[0][1])]
    listed = "".join(f"\n  {path or 'the module itself'} ({kind.rpartition('.')[2]})" for path, kind in found[:_LISTED])
    more = f"\n  and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    raise UnsupportedError(
        f"It is quantised by modules of {package}, which only export is read of:{listed}{more}\n", where=where, fix=fix
    )


def _outer(modules: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Those that lie in no other one of them; outer ones come first."""
    taken: list[str] = []
    for path, kind in modules:
        if not any(path == outer or path.startswith(f"{outer}.") or not outer for outer in taken):
            taken.append(path)
        if path in taken:
            yield path, kind
