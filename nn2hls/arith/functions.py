"""Functions of one variable: exact linear parts, table parts, and table entries that are correctly rounded on every machine.

Every function is split as f(x) = linear(x) + table(fold(x)), where the table part is constant at both ends wherever that is
possible, so that an address which saturates does little harm:

=========== =================== ================= =====================================================
function    linear              fold              table part
=========== =================== ================= =====================================================
softplus    max(x, 0)           a = abs(x)        ln(1 + exp(-a))
log_sigmoid min(x, 0)           a = abs(x)        -ln(1 + exp(-a))
silu        max(x, 0)           a = abs(x)        -a / (1 + exp(a))
gelu        max(x, 0)           a = abs(x)        -a * (1 - Phi(a)), Phi the normal distribution, by erf
gelu_tanh   max(x, 0)           a = abs(x)        -a / (1 + exp(2 u)), u = sqrt(2 / pi) (a + 0.044715 a**3)
mish        max(x, 0)           none              x * tanh(softplus(x)) - max(x, 0)
elu         max(x, 0)           a = max(-x, 0)    alpha * (exp(-a) - 1)
celu        max(x, 0)           a = max(-x, 0)    alpha * (exp(-a / alpha) - 1)
selu        scale * max(x, 0)   a = max(-x, 0)    scale * alpha * (exp(-a) - 1), constants of Klambauer et al. 2017
tanh_shrink x                   none              -tanh(x)
all others  none                none              the function itself
=========== =================== ================= =====================================================
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, getcontext, localcontext
from fractions import Fraction
from functools import lru_cache

SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543773
FAR = 10**6  # exp of it leaves every type on both sides


class Function(enum.Enum):
    """The functions a table offers. ``alpha`` is the parameter of ELU and CELU (1 otherwise)."""

    SIGMOID = "sigmoid"
    TANH = "tanh"
    SOFTPLUS = "softplus"
    SOFTSIGN = "softsign"
    ELU = "elu"
    SELU = "selu"
    CELU = "celu"
    GELU = "gelu"  # exact: x * Phi(x), by erf
    GELU_TANH = "gelu_tanh"  # the tanh approximation
    SILU = "silu"
    EXP = "exp"
    MISH = "mish"
    LOG = "log"
    SQRT = "sqrt"
    RSQRT = "rsqrt"
    RECIPROCAL = "reciprocal"
    ERF = "erf"
    SIN = "sin"
    COS = "cos"
    LOG_SIGMOID = "log_sigmoid"
    TANH_SHRINK = "tanh_shrink"


class Linear(enum.IntEnum):
    """The exact part. The numbers are shared with the C++."""

    NONE = 0
    RELU = 1  # max(x, 0)
    MIN = 2  # min(x, 0)
    IDENTITY = 3


class Fold(enum.IntEnum):
    """What the address is made of. The numbers are shared with the C++."""

    NONE = 0
    ABS = 1
    NEG = 2  # max(-x, 0)


@dataclass(frozen=True)
class Split:
    """How a function is computed.

    Args:
        linear, fold: See the module's table.
        part: The table part of a Decimal with parameter alpha, in the current context; None where entries are algebraic.
        at_zero: The exact table part at 0, where it is rational.
        span: For a parameter alpha, numbers that every other value of the table part lies strictly between; None for none.
        domain: ``all``; ``positive`` or ``nonzero``: where the function is undefined.
    """

    part: Callable[[Decimal, Decimal], Decimal] | None = None
    linear: Linear = Linear.NONE
    fold: Fold = Fold.NONE
    at_zero: Fraction | None = None
    span: Callable[[Fraction], tuple[Fraction | None, Fraction | None]] = lambda _: (None, None)
    domain: str = "all"


def _exp(x: Decimal) -> Decimal:
    """exp; exponents beyond ``FAR`` count as that, for either way it is less than half a step of any type, or beyond it."""
    return max(min(x, Decimal(FAR)), Decimal(-FAR)).exp()


def _log1p(z: Decimal) -> Decimal:
    """ln(1 + z) for 0 <= z <= 1, by 2 artanh(z / (2 + z))."""
    w = z / (2 + z)
    square, power, total, k, least = w * w, w, w, 1, Decimal(10) ** -(_precision() + 1)
    while power > least:
        power *= square
        k += 2
        total += power / k
    return 2 * total


@lru_cache(maxsize=64)
def _ln2(digits: int) -> Decimal:
    with localcontext(Context(prec=digits)):
        return _log1p(Decimal(1))


def _log(x: Decimal) -> Decimal:
    k = math.floor(x.adjusted() * math.log2(10))
    more = math.frexp(x / Decimal(2) ** k)[1] - 1  # of a number from 1 to 20: beyond float64 there are types, too
    k, m = k + more, x / Decimal(2) ** (k + more)
    return k * _ln2(_precision()) + _log1p(m - 1)


def _tanh(x: Decimal) -> Decimal:
    e = _exp(-2 * abs(x))
    return ((1 - e) / (1 + e)).copy_sign(x)


def _mish(x: Decimal, _: Decimal) -> Decimal:
    e = _exp(x)
    n = e * (e + 2)  # tanh(ln(1 + e)) = n / (n + 2)
    return -2 * x / (n + 2) if x > 0 else x * n / (n + 2)


def _gelu_tanh(a: Decimal, _: Decimal) -> Decimal:
    u = (2 / _pi()).sqrt() * (a + Decimal("0.044715") * a * a * a)
    e = _exp(-2 * u)
    return -a * e / (1 + e)


def _erf(x: Decimal, scale: int) -> Decimal:
    """erf(x / sqrt(scale)), scale 1 or 2, by 2 y / sqrt(pi) * exp(-y**2) * sum of (2 y**2)**n / (2n+1)!! (Abramowitz 7.1.6).

    All terms are positive, so nothing cancels. The sum runs on integers with more bits than the decimal context has digits.
    """
    q = x * x * 2 / scale
    decay = _exp(-q / 2)
    digits = _precision()
    if decay.adjusted() < -digits - 2:
        return Decimal(1).copy_sign(x)  # 1 - erf(y) < exp(-y**2)
    bits = 4 * digits + 32
    step = int((q * (1 << bits)).to_integral_value())
    term = total = 1 << bits
    n = 3
    while term:
        term = (term * step >> bits) // n
        total += term
        n += 2
    return 2 * x / (_pi() * scale).sqrt() * decay * (Decimal(total) / (1 << bits))


def _cos_sin(x: Decimal, phase: int) -> Decimal:
    """Taylor's series of sin (phase 1) or cos (phase 0), after subtracting multiples of 2 pi."""
    with localcontext() as context:
        context.prec += max(0, x.adjusted())  # digits of the turns, which vanish
        turn = 2 * _pi()
        x -= turn * (x / turn).to_integral_value()
    term = total = x if phase else Decimal(1)
    k, square, least = phase, x * x, Decimal(10) ** -(_precision() + 2)
    while abs(term) > least:
        term *= -square / ((k + 1) * (k + 2))
        total += term
        k += 2
    return total


def _precision() -> int:
    return getcontext().prec


@lru_cache(maxsize=64)
def _pi_digits(digits: int) -> Decimal:
    """Machin 1706: pi = 16 arctan(1/5) - 4 arctan(1/239)."""

    def arctan_inverse(n: int, one: int) -> int:
        power = total = one // n
        k, sign = 3, -1
        while power:
            power //= n * n
            total += sign * (power // k)
            k, sign = k + 2, -sign
        return total

    one = 10 ** (digits + 10)
    with localcontext(Context(prec=digits + 10)):
        return Decimal(16 * arctan_inverse(5, one) - 4 * arctan_inverse(239, one)).scaleb(-digits - 10)


def _pi() -> Decimal:
    return _pi_digits(_precision())


_ZERO, _ONE = Fraction(0), Fraction(1)
Span = tuple[Fraction | None, Fraction | None]


def _between(low: Fraction | None, high: Fraction | None) -> Callable[[Fraction], Span]:
    return lambda _: (low, high)


def _down_to_minus_alpha(alpha: Fraction) -> Span:
    return min(-alpha, _ZERO), max(-alpha, _ZERO)


_UNIT = _between(-_ONE, _ONE)  # sin and cos: of rational numbers other than 0 neither is ever 1
_BELOW_ZERO = _between(None, _ZERO)
SPLITS = {
    Function.SIGMOID: Split(lambda x, _: 1 / (1 + _exp(-x)), at_zero=Fraction(1, 2), span=_between(_ZERO, _ONE)),
    Function.TANH: Split(lambda x, _: _tanh(x), at_zero=_ZERO, span=_UNIT),
    Function.SOFTPLUS: Split(lambda a, _: _log1p(_exp(-a)), Linear.RELU, Fold.ABS, span=_between(_ZERO, None)),
    Function.LOG_SIGMOID: Split(lambda a, _: -_log1p(_exp(-a)), Linear.MIN, Fold.ABS, span=_BELOW_ZERO),
    Function.SOFTSIGN: Split(),
    Function.ELU: Split(lambda a, alpha: alpha * (_exp(-a) - 1), Linear.RELU, Fold.NEG, _ZERO, _down_to_minus_alpha),
    Function.SELU: Split(
        lambda a, _: Decimal(SELU_SCALE) * Decimal(SELU_ALPHA) * (_exp(-a) - 1),
        Linear.RELU,
        Fold.NEG,
        _ZERO,
        _between(-Fraction(SELU_SCALE) * Fraction(SELU_ALPHA), _ZERO),
    ),
    Function.CELU: Split(lambda a, alpha: alpha * (_exp(-a / alpha) - 1), Linear.RELU, Fold.NEG, _ZERO, _down_to_minus_alpha),
    Function.GELU: Split(lambda a, _: -a * (1 - _erf(a, 2)) / 2, Linear.RELU, Fold.ABS, _ZERO, _BELOW_ZERO),
    Function.GELU_TANH: Split(_gelu_tanh, Linear.RELU, Fold.ABS, _ZERO, _BELOW_ZERO),
    Function.SILU: Split(lambda a, _: -a / (1 + _exp(a)), Linear.RELU, Fold.ABS, _ZERO, _BELOW_ZERO),
    Function.MISH: Split(_mish, Linear.RELU, Fold.NONE, _ZERO, _BELOW_ZERO),
    Function.EXP: Split(lambda x, _: _exp(x), at_zero=_ONE, span=_between(_ZERO, None)),
    Function.LOG: Split(lambda x, _: _log(x), domain="positive"),
    Function.SQRT: Split(),
    Function.RSQRT: Split(domain="positive"),
    Function.RECIPROCAL: Split(domain="nonzero"),
    Function.ERF: Split(lambda x, _: _erf(x, 1), at_zero=_ZERO, span=_UNIT),
    Function.SIN: Split(lambda x, _: _cos_sin(x, 1), at_zero=_ZERO, span=_UNIT),
    Function.COS: Split(lambda x, _: _cos_sin(x, 0), at_zero=_ONE, span=_UNIT),
    Function.TANH_SHRINK: Split(lambda x, _: -_tanh(x), Linear.IDENTITY, at_zero=_ZERO, span=_UNIT),
}


def entries(
    function: Function, alpha: float, addresses: Sequence[int], address_fraction: int, fraction: int, low: int, high: int
) -> list[int]:
    """Correctly rounded mantissas of the table part, half to even, within ``low`` to ``high``.

    Where a logarithm, reciprocal or root is undefined (x <= 0, or x = 0) the entry is that of half an address step.

    Args:
        function, alpha: What to tabulate.
        addresses, address_fraction: The points are addresses / 2**address_fraction.
        fraction: Fraction bits of the mantissas.
        low, high: Values beyond are saturated.
    """
    split = SPLITS[function]
    least = 0 if split.domain == "positive" else None
    doubled = [1 if a == 0 and split.domain != "all" else 1 if least == 0 and a < 0 else 2 * a for a in addresses]
    if split.part is None:
        return [min(max(_algebraic(function, a, address_fraction + 1, fraction), low), high) for a in doubled]
    found: dict[int, int] = {}
    if split.at_zero is not None:
        found[0] = min(max(round(split.at_zero * Fraction(2) ** fraction), low), high)
    digits = max(0, math.ceil(0.302 * fraction)) + 9
    half_step = Fraction(2) ** -(address_fraction + 1)
    limits = _narrowed(split.span(Fraction(alpha)), fraction, low, high)
    todo = [a for a in doubled if a not in found]
    while todo:
        found |= _round_certain(split.part, todo, half_step, alpha, fraction, limits, digits)
        todo = [a for a in todo if a not in found]
        digits = digits * 3 // 2
    return [found[a] for a in doubled]


def _narrowed(span: Span, fraction: int, low: int, high: int) -> tuple[int, int]:
    """The smallest and largest mantissa that numbers strictly inside ``span`` round to, within ``low`` to ``high``.

    A value near an end of the span that is halfway between two mantissas needs no digits to be told from it.
    """
    scale, half = Fraction(2) ** fraction, Fraction(1, 2)
    least = low if span[0] is None else min(max(math.floor(span[0] * scale + half), low), high)
    most = high if span[1] is None else min(max(math.ceil(span[1] * scale - half), low), high)
    return least, max(least, most)


def _round_certain(
    part: Callable[[Decimal, Decimal], Decimal],
    points: Sequence[int],
    step: Fraction,
    alpha: float,
    fraction: int,
    limits: tuple[int, int],
    digits: int,
) -> dict[int, int]:
    """Round by Ziv's strategy: the points whose whole error interval rounds to one mantissa; the others want more digits.

    A table part takes at most twenty roundings, each with a relative error below 10**(1 - digits), on numbers below
    (1 + |x|)(1 + |value|)(1 + |alpha|); the interval is five times as wide. Transcendental values are never halfway.
    """
    found = {}
    low, high = limits
    with localcontext(Context(prec=digits, rounding=ROUND_HALF_EVEN, Emax=10**12, Emin=-(10**12))):
        unit, scale = Decimal(step.numerator) / step.denominator, Decimal(2) ** fraction
        parameter = +Decimal(alpha)
        share = scale * Decimal(100).scaleb(1 - digits) * (1 + abs(parameter))
        for a in points:
            x = a * unit
            value = part(x, parameter)
            error = share * (1 + abs(x)) * (1 + abs(value))
            value *= scale
            first, last = ((value + e).to_integral_value() for e in (-error, error))
            if first >= high:
                found[a] = high
            elif last <= low:
                found[a] = low
            elif first == last:
                found[a] = int(last)
    return found


def _algebraic(function: Function, point: int, point_fraction: int, fraction: int) -> int:
    """Rounded half to even, exactly: quotients by their remainder, roots by comparing squares."""
    up = 1 << max(point_fraction, 0)
    x, one = point << max(-point_fraction, 0), up  # the point is x / one
    scale, down = 1 << max(fraction, 0), 1 << max(-fraction, 0)
    if function is Function.SOFTSIGN:
        return _half_even(scale * x, down * (one + abs(x)))
    if function is Function.RECIPROCAL:
        return _half_even(scale * one, down * x)
    over, under = (max(x, 0), one) if function is Function.SQRT else (one, x)
    over, under = over * scale * scale, under * down * down
    below = math.isqrt(over // under)
    beyond = 4 * over - (2 * below + 1) ** 2 * under  # above or below the square halfway to the next mantissa
    return below + (beyond > 0 or (beyond == 0 and below % 2 == 1))


def _half_even(over: int, under: int) -> int:
    if under < 0:
        over, under = -over, -under
    below, rest = divmod(over, under)
    return below + (2 * rest > under or (2 * rest == under and below % 2 == 1))
