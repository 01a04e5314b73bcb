"""Table ops from the docstrings, with mpmath at 60 digits: shares no code with nn2hls.arith.functions."""

from fractions import Fraction

import mpmath
from mpmath import mpf

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from tests.slow.constants import nearest_even
from tests.slow.fixed import cast_slow, fold_slow

mpmath.mp.dps = 60
SELU_SCALE, SELU_ALPHA = mpf(1.0507009873554805), mpf(1.6732632423543773)


def tanh_gelu(x):
    return x / 2 * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (x + mpf("0.044715") * x**3)))


FUNCTIONS = {
    "sigmoid": lambda x, a: 1 / (1 + mpmath.exp(-x)),
    "tanh": lambda x, a: mpmath.tanh(x),
    "softplus": lambda x, a: mpmath.log1p(mpmath.exp(x)),
    "softsign": lambda x, a: x / (1 + abs(x)),
    "elu": lambda x, a: x if x > 0 else a * mpmath.expm1(x),
    "selu": lambda x, a: SELU_SCALE * (x if x > 0 else SELU_ALPHA * mpmath.expm1(x)),
    "celu": lambda x, a: x if x > 0 else a * mpmath.expm1(x / a),
    "gelu": lambda x, a: x * mpmath.ncdf(x),
    "gelu_tanh": lambda x, a: tanh_gelu(x),
    "silu": lambda x, a: x / (1 + mpmath.exp(-x)),
    "exp": lambda x, a: mpmath.exp(x),
    "mish": lambda x, a: x * mpmath.tanh(mpmath.log1p(mpmath.exp(x))),
    "log": lambda x, a: mpmath.log(x),
    "sqrt": lambda x, a: mpmath.sqrt(x) if x > 0 else mpf(0),
    "rsqrt": lambda x, a: 1 / mpmath.sqrt(x),
    "reciprocal": lambda x, a: 1 / x,
    "erf": lambda x, a: mpmath.erf(x),
    "sin": lambda x, a: mpmath.sin(x),
    "cos": lambda x, a: mpmath.cos(x),
    "log_sigmoid": lambda x, a: -mpmath.log1p(mpmath.exp(-x)),
    "tanh_shrink": lambda x, a: x - mpmath.tanh(x),
}
RELU = {"softplus", "silu", "gelu", "gelu_tanh", "mish", "elu", "celu", "selu"}


def folded(name, x):
    if name in ("softplus", "log_sigmoid", "silu", "gelu", "gelu_tanh"):
        return abs(x)
    return max(-x, Fraction(0)) if name in ("elu", "celu", "selu") else x


def linear(name, x):
    if name in RELU:
        return max(x, Fraction(0))
    return min(x, Fraction(0)) if name == "log_sigmoid" else x if name == "tanh_shrink" else Fraction(0)


def part(name, a, alpha, step):
    """The table part of a folded value, a fraction, as mpf."""
    if (name in ("log", "rsqrt") and a <= 0) or (name == "reciprocal" and a == 0):
        a = step / 2
    x = -a if name in ("elu", "celu", "selu") else a
    line = linear(name, x)
    scale = SELU_SCALE if name == "selu" else 1
    x, line = (mpf(v.numerator) / v.denominator for v in (x, line))
    return FUNCTIONS[name](x, mpf(alpha)) - scale * line


def rounded_part(name, a, alpha, step, kind):
    """The mantissa of an entry: half to even, saturated. mpmath's nint is half to even.

    Algebraic functions aside, a value that looks halfway is one that its 60 digits do not tell from a limit, on the side of
    zero; at zero itself it is exact.
    """
    value = part(name, a, alpha, step) * mpf(2) ** kind.fraction
    value = min(max(value, -(mpf(2) ** (kind.width + 1))), mpf(2) ** (kind.width + 1))
    number = int(mpmath.nint(value))
    if abs(value - number) == mpf(1) / 2 and a != 0 and name not in ("softsign", "sqrt", "rsqrt", "reciprocal"):
        number = int(mpmath.floor(abs(value))) * (1 if value > 0 else -1)
    return fold_slow(number, kind.width, kind.signed, "SAT")


def table(op, x):
    """One element: a fraction in, a fraction out."""
    name, step = op.function.value, 1 / Fraction(2) ** op.address_t.fraction
    kind = FixedType(op.address_t.width, op.address_t.integer, op.address_t.signed, Rounding.RND, Overflow.SAT)
    address = cast_slow(folded(name, x), kind) * step
    entry = rounded_part(name, address, op.alpha, step, op.table_t) / Fraction(2) ** op.table_t.fraction
    slope = nearest_even(float(SELU_SCALE) if name == "selu" else 1.0, op.slope_t)
    return slope * linear(name, x) + entry
