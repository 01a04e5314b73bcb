"""The C++ of a Dense layer, statement by statement as its plan says."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from nn2hls.arith.fixed import FixedType, Rounding
from nn2hls.arith.ranges import Range
from nn2hls.hardware.code import Code, Pragma, Rom
from nn2hls.hardware.literals import constant, int_type
from nn2hls.hardware.schedule import Kind
from nn2hls.ops.dense import Dense
from nn2hls.ops.products.ordered import NarrowedPlan
from nn2hls.ops.products.parallel import MAX_BLOCK, Block, ParallelPlan, Term, adder_block, plan
from nn2hls.ops.products.reused import ReusedPlan


def dense_code(op: Dense, x: Range, result: FixedType) -> Code:
    """The layer's code: straight-line sums, a loop over packed steps, or the ordered additions of a narrowed accumulator."""
    layout = plan(op, x)
    if isinstance(layout, NarrowedPlan):
        code = layout.code(result, MAX_BLOCK)
    else:
        code = _reused(layout, result) if isinstance(layout, ReusedPlan) else _parallel(layout, result)
    return _over_positions(code, layout.positions, *op.weight.shape)


def dense_adders(op: Dense, x: Range, result: FixedType) -> Code:
    """The same for a tool that builds additions as they are written: straight-line sums are trees over the weights' digits.

    Each addition costs such a tool the same time whatever its width, so the bias is a leaf of the tree, and so is the half that
    rounds to nearest.
    """
    layout = plan(op, x)
    if not isinstance(layout, ParallelPlan) or len(layout.blocks) > 1:
        return dense_code(op, x, result)
    exact = op.exact([x])
    shift = exact.fraction - result.fraction
    half = 1 << (shift - 1) if shift > 0 and result.rounding is Rounding.RND else 0
    constants = layout.bias + half
    block = adder_block(layout, constants)
    store = "store_floor" if half else "store"
    body = [*_inputs(block, x)]
    body += [f"const {int_type(t.lo, t.hi)} t{n} = {_adder(t)};" for n, t in enumerate(block.terms)]
    for piece in block.pieces:
        j = piece.output
        lo, hi = (end + half for end in exact.bounds(j))
        total = constant(int(constants[j])) if piece.term is None else f"t{piece.term}"
        if piece.minus:
            total = f"nn2hls::minus({constant(0)}, {total})"
        body += [f"const {int_type(lo, hi)} y_{j} = {total};", f"nn2hls::{store}<{shift}>(y[{j}], y_{j});"]
    return _over_positions(Code(body, headers=("cast.h", "adders.h")), layout.positions, *op.weight.shape)


def _adder(term: Term) -> str:
    if term.kind is Kind.ADD:
        return f"nn2hls::{'minus' if term.minus else 'plus'}(t{term.left}, t{term.right})"
    return constant(term.right) if term.left < 0 else _expression(term)


# ---- straight-line sums --------------------------------------------------------------------------------------------------


def _parallel(layout: ParallelPlan, result: FixedType) -> Code:
    op, x = layout.op, layout.x
    exact = op.exact([x])
    shift = exact.fraction - result.fraction
    if len(layout.blocks) == 1:
        (block,) = layout.blocks
        body = [*_inputs(block, x), *_terms(block)]
        for piece in block.pieces:
            total = _total(piece.term, piece.minus, int(layout.bias[piece.output]))
            body += _store(piece.output, total, exact, shift)
        return Code(body, headers=("cast.h",))
    helpers: list[str | Pragma] = []
    body = [f"{_accumulator(op)} sum[{len(layout.bias)}];"]
    body += [f"sum[{j}] = {constant(int(b))};" for j, b in enumerate(layout.bias)]
    for n, block in enumerate(layout.blocks):
        helpers += [f"static void @_part{n}(const @T0 x0[], {_accumulator(op)} sum[]) {{"]
        helpers += _inputs(block, x) + _terms(block)
        for piece in block.pieces:
            if piece.term is not None:
                sign = "-" if piece.minus else "+"
                helpers.append(f"sum[{piece.output}] = sum[{piece.output}] {sign} t{piece.term};")
        helpers.append("}")
        body.append(f"@_part{n}(x0, sum);")
    body += [f"nn2hls::store<{shift}>(y[{j}], sum[{j}]);" for j in range(len(layout.bias))]
    return Code(body, helpers, headers=("cast.h",))


def _accumulator(op: Dense) -> str:
    assert op.accum_t is not None
    return f"ap_{'int' if op.accum_t.signed else 'uint'}<{op.accum_t.width}>"


def _inputs(block: Block, x: Range) -> list[str]:
    """One constant per input the block reads, as narrow as its proven range."""
    used = sorted({t.left for t in block.terms if t.kind is not Kind.ADD and t.left >= 0})
    return [f"const {int_type(*x.bounds(i))} x_{i} = nn2hls::raw(x0[{i}]);" for i in used]


def _terms(block: Block) -> list[str]:
    return [f"const {int_type(t.lo, t.hi)} t{n} = {_expression(t)};" for n, t in enumerate(block.terms)]


def _expression(term: Term) -> str:
    if term.kind is Kind.ADD:
        return f"t{term.left} {'-' if term.minus else '+'} t{term.right}"
    if term.kind is Kind.MUL_CONST:
        return f"x_{term.left} * {constant(term.right)}"
    # A shift keeps the width of its operand, so the operand is widened first.
    return f"{int_type(term.lo, term.hi)}(x_{term.left}) << {term.right}" if term.right else f"x_{term.left}"


def _store(j: int, total: str, exact: Range, shift: int) -> list[str]:
    """The sum of output j gets a name and its proven width, then the one cast."""
    return [f"const {int_type(*exact.bounds(j))} y_{j} = {total};", f"nn2hls::store<{shift}>(y[{j}], y_{j});"]


def _total(term: int | None, minus: bool, bias: int) -> str:
    if term is None:
        return constant(int(bias))
    if minus:
        return f"{constant(int(bias))} - t{term}"
    return f"t{term} + {constant(int(bias))}" if bias else f"t{term}"


# ---- packed steps --------------------------------------------------------------------------------------------------------


def _reused(layout: ReusedPlan, result: FixedType) -> Code:
    op, x = layout.op, layout.x
    n_in, n_out = op.weight.shape
    weight_bits, index_bits, segment_bits = layout.word
    m, segments, accum = layout.multipliers, layout.segments, _accumulator(op)
    low, high = x.low, x.high
    exact = op.exact([x])
    config = {
        "multipliers": m,
        "inputs": 0 if layout.wiring is None else layout.choices,
        "choices": layout.choices,
        "segments": segments,
        "weight_bits": weight_bits,
        "index_bits": index_bits,
        "segment_bits": segment_bits,
    }
    members = " ".join(f"static const int {k} = {v};" for k, v in config.items())
    helpers = [f"struct @_config {{ {members} }};"]
    wires = n_in if layout.wiring is None else m * layout.choices
    body: list[str | Pragma] = [
        f"{int_type(low, high)} x[{wires}];",
        f"{accum} acc[{m}];",
        f"{accum} part[{m * segments}];",
        *(Pragma("partition", v) for v in ("x", "acc", "part")),
        *([Pragma("wide" if layout.block_rom else "banks", "@_rom", str(m))] if m > 1 else []),  # a factor of 1 is refused
        *([Pragma("block_rom", "@_rom")] if layout.block_rom else []),
        "NN2HLS_UNROLL",
        f"for (int i = 0; i < {wires}; i++) {{",
        Pragma("unroll"),
        f"x[i] = nn2hls::raw(x0[{'i' if layout.wiring is None else '@_wires[i]'}]);",
        "}",
        "nn2hls::dense_start<@_config>(acc, part);",
        "NN2HLS_ROLLED",
        f"for (int step = 0; step < {layout.steps}; step++) {{",
        Pragma("pipeline", "1"),
        "nn2hls::dense_step<@_config>(x, @_rom, step, acc, part);",
        "}",
    ]
    shift = exact.fraction - result.fraction
    own = exact.fraction - _product_fraction(op, x)
    for j in range(n_out):
        terms = [f"part[{a * segments + b}]" for a, b in layout.parts[j]]
        body += _store(j, _tree(terms, accum, own, int(layout.bias[j])), exact, shift)
    roms = {"rom": Rom(layout.packed().reshape(-1), layout.word_bits, False, banks=m)}
    if layout.wiring is not None:
        roms["wires"] = Rom(layout.wiring.reshape(-1), 0, True)
    return Code(body, helpers, headers=("cast.h", "dense.h"), roms=roms)


def _product_fraction(op: Dense, x: Range) -> int:
    assert op.weight_t is not None
    return x.fraction + op.weight_t.fraction


def _tree(terms: Sequence[str], accum: str, up: int, bias: int) -> str:
    """A balanced sum of segment registers, moved up to the sum's fraction, plus the bias."""
    level = list(terms)
    while len(level) > 1:
        pairs = [f"{accum}({a} + {b})" for a, b in zip(level[::2], level[1::2], strict=False)]
        level = pairs + ([level[-1]] if len(level) % 2 else [])
    if not level:
        return constant(bias)
    total = f"({accum}({level[0]}) << {up})" if up else level[0]
    return f"{accum}({total} + {constant(bias)})" if bias else total


# ---- leading axes --------------------------------------------------------------------------------------------------------


def _over_positions(code: Code, positions: int, n_in: int, n_out: int) -> Code:
    """The same code for each position of the leading axes, as one function called per position."""
    if not any("x0" in line for line in code.body if isinstance(line, str)):  # all weights are zero
        code = dataclasses.replace(code, body=["(void)x0;", *code.body])
    if positions == 1:
        return code
    helpers = [
        *code.helpers,
        "static void @_position(const @T0 x0[], @TY y[]) {",
        *code.body,
        "}",
    ]
    body = ["NN2HLS_UNROLL", f"for (int p = 0; p < {positions}; p++) {{", f"@_position(x0 + p * {n_in}, y + p * {n_out});", "}"]
    return Code(body, helpers, (*code.headers, "common.h"), code.roms)
