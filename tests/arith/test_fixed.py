"""FixedType and the one cast, against a plain evaluation on fractions."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn2hls.arith import fixed
from nn2hls.arith.fixed import MAX_FRACTION, MAX_WIDTH, FixedType, Overflow, Rounding, TypeSyntaxError, cast, cast_to
from tests.slow.fixed import cast_slow, fold_slow, round_slow, value_slow

MODES = list(itertools.product(Rounding, Overflow))


@st.composite
def types(draw, max_width=MAX_WIDTH):
    width = draw(st.integers(1, max_width))
    fraction = draw(st.integers(-MAX_FRACTION, MAX_FRACTION))
    modes = draw(st.sampled_from(MODES))
    return FixedType(width, width - fraction, draw(st.booleans()), *modes)


# ---- parsing and printing ------------------------------------------------------------------------------------------------


@given(types())
def test_a_type_prints_as_what_it_parses_from(kind):
    assert FixedType.parse(str(kind)) == kind


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("ap_fixed<16,6>", "ap_fixed<16,6>"),
        (" ap_ufixed< 8 , -2 , AP_RND > ", "ap_ufixed<8,-2,AP_RND>"),
        ("ap_fixed<16,6,AP_TRN,AP_SAT>", "ap_fixed<16,6,AP_TRN,AP_SAT>"),
        ("ap_fixed<16,6,AP_TRN,AP_WRAP,0>", "ap_fixed<16,6>"),
        ("ap_fixed<16,+6,RND_CONV,sat_sym>", "ap_fixed<16,6,AP_RND_CONV,AP_SAT_SYM>"),
        ("ap_int<8>", "ap_fixed<8,8>"),
        ("ap_uint<3>", "ap_ufixed<3,3>"),
        ("fixed<16,6>", "ap_fixed<16,6>"),
        ("ufixed<16,20>", "ap_ufixed<16,20>"),
        ("int8", "ap_fixed<8,8>"),
        ("uint12", "ap_ufixed<12,12>"),
    ],
)
def test_spellings(text, printed):
    assert str(FixedType.parse(text)) == printed


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("float", "'float' is a floating-point type; a design here computes in fixed point. Write a wide type,"),
        (" ap_float<16,5> ", "'ap_float<16,5>' is a floating-point type;"),
        ("floating", "'floating' is not a fixed-point type. Write it like ap_fixed<16,6>,"),
        (
            "ap_fixed<16,6,true>",
            "'ap_fixed<16,6,true>' has a sign argument, true, which only ac_fixed and ac_int have. Drop it.",
        ),
        (
            "ap_ufixed<16,6,true>",
            "'ap_ufixed<16,6,true>' has a sign argument, true, which only ac_fixed and ac_int have. Write",
        ),
        (
            "ac_ufixed<6,3,true>",
            "'ac_ufixed<6,3,true>' has a sign argument, true, which only ac_fixed and ac_int have. Write ap_fix",
        ),
        ("ac_fixed<16,6,yes>", "'yes' in 'ac_fixed<16,6,yes>' is not a rounding mode."),
        (16, "16 is not a fixed-point type."),
        ("", "'' is not a fixed-point type."),
        ("fixed8", "'fixed8' is not a fixed-point type."),
        ("ap_fixed<16,6", "'ap_fixed<16,6' is not a fixed-point type."),
        ("ap_fixed<16>", "'ap_fixed<16>' has 1 arguments."),
        ("ap_fixed<16,6,AP_RND,AP_SAT,0,0>", "has 6 arguments."),
        ("ap_int<8,3>", "'ap_int<8,3>' has 2 arguments."),
        ("ap_fixed<a,6>", "'a' in 'ap_fixed<a,6>' is not a whole number."),
        ("ap_fixed<16,1.5>", "'1.5' in 'ap_fixed<16,1.5>' is not a whole number."),
        ("ap_fixed<,6>", "'' in 'ap_fixed<,6>' is not a whole number."),
        (f"int{'9' * 5000}", "is not a whole number."),
        ("ap_fixed<0,0>", "A fixed-point width must be 1 to 1024, not 0."),
        ("ap_int<1025>", "A fixed-point width must be 1 to 1024, not 1025."),
        ("ap_fixed<16,2000>", "must have -1022 to 1022 fraction bits (width - integer bits), not -1984."),
        ("ap_fixed<16,6,AP_RUND>", "'AP_RUND' in 'ap_fixed<16,6,AP_RUND>' is not a rounding mode. Did you mean 'AP_RND'?"),
        (
            "ap_fixed<16,6,nearest>",
            "Known are AP_TRN, AP_TRN_ZERO, AP_RND, AP_RND_ZERO, AP_RND_INF, AP_RND_MIN_INF, AP_RND_CONV.",
        ),
        ("ap_fixed<16,6,AP_RND,SATT>", "is not an overflow mode. Did you mean 'AP_SAT'?"),
        ("ap_fixed<16,6,AP_RND,clamped>", "Known are AP_WRAP, AP_SAT, AP_SAT_ZERO, AP_SAT_SYM."),
        ("ap_fixed<16,6,AP_RND,AP_WRAP,2>", "asks for 2 saturated bits under wrapping. nn2hls offers ap_fixed with N = 0 only"),
    ],
)
def test_what_is_not_a_type_is_refused_with_the_reason(text, says):
    with pytest.raises(TypeSyntaxError) as caught:
        FixedType.parse(text)
    assert says in str(caught.value)


@given(types())
def test_the_ends_of_a_type_are_what_casts_of_huge_values_reach(kind):
    saturating = kind.with_modes(kind.rounding, Overflow.SAT_SYM if kind.overflow is Overflow.SAT_SYM else Overflow.SAT)
    huge = Fraction(2) ** 3000
    assert cast_slow(huge, saturating) == kind.max_mantissa
    assert cast_slow(-huge, saturating) == kind.min_mantissa
    assert Fraction(kind.step) == value_slow(1, kind)
    if kind.integer <= 1023:
        assert kind.max == float(value_slow(kind.max_mantissa, kind))
        assert kind.min == float(value_slow(kind.min_mantissa, kind))
    if kind.integer - kind.signed > 1024:
        assert kind.max == float("inf")


# ---- the cast, exhausted over small types --------------------------------------------------------------------------------

WIDTHS, SHIFTS = range(1, 7), range(-8, 9)
OPERANDS = range(-(1 << 7), 1 << 7)
KINDS = {
    "int64": lambda m: np.array(m, dtype=np.int64),
    "object": lambda m: np.array(m, dtype=object),
    "float32": lambda m: np.array(m, dtype=np.float32),
    "float64": lambda m: np.array(m, dtype=np.float64),
}


def expected(m, shift, width, signed, rounding, overflow):
    rounded = round_slow(Fraction(m) / Fraction(2) ** shift, rounding.name)
    return fold_slow(rounded, width, signed, overflow.name)


@pytest.fixture(scope="module")
def rounded():
    """{(rounding, shift): what each of OPERANDS is rounded to}."""
    return {(r, s): [round_slow(Fraction(m) / Fraction(2) ** s, r.name) for m in OPERANDS] for r in Rounding for s in SHIFTS}


def first_difference(cast_array, rounded):
    """The first cast of OPERANDS that is not as the fractions say, or None."""
    for width, signed, overflow in itertools.product(WIDTHS, (True, False), Overflow):
        table = {}
        for (rounding, shift), whole in rounded.items():
            want = [table.setdefault(v, fold_slow(v, width, signed, overflow.name)) for v in whole]
            got = cast_array(shift, width, signed, rounding, overflow)
            if list(got) != want:
                return shift, width, signed, rounding.name, overflow.name
    return None


@pytest.mark.parametrize("kind", KINDS)
def test_cast_of_arrays_is_exact_for_all_small_types(kind, rounded):
    array = KINDS[kind](list(OPERANDS))

    def run(*args):
        got = cast(array, *args)
        assert got.dtype == array.dtype
        assert kind[:5] != "float" or not np.signbit(got[got == 0]).any()
        return got.tolist()

    assert first_difference(run, rounded) is None
    assert array.tolist() == list(OPERANDS)


def test_cast_of_python_ints_is_exact_for_all_small_types(rounded):
    assert first_difference(lambda *args: [cast(m, *args) for m in OPERANDS], rounded) is None


def test_a_changed_rounding_is_seen(rounded, monkeypatch):
    array = KINDS["int64"](list(OPERANDS))
    original = fixed._round_int

    def half_up_at_ties(m, shift, rounding):
        return original(m, shift, Rounding.RND if rounding is Rounding.RND_CONV else rounding)

    monkeypatch.setattr(fixed, "_round_int", half_up_at_ties)
    difference = first_difference(lambda *args: cast(array, *args).tolist(), rounded)
    assert difference is not None
    assert difference[3] == "RND_CONV"


# ---- boundaries ----------------------------------------------------------------------------------------------------------

ENDS = {"float32": 1 << 24, "float64": 1 << 53, "int64": (1 << 63) - 1, "object": 1 << 70}
NEXT = ["float32", "float64", "int64", "object"]
BITS = {"float32": 24, "float64": 53, "int64": 63, "object": MAX_WIDTH}


@st.composite
def casts(draw, kind):
    """Mantissas around every power of two and half that a kind of array can hold, a shift, and a type."""
    end = ENDS[kind]
    near = st.builds(
        lambda e, d, s: s * ((1 << e) + d), st.integers(0, end.bit_length()), st.integers(-3, 3), st.sampled_from([1, -1])
    )
    values = draw(st.lists(near | st.integers(-end, end), min_size=1, max_size=8))
    values = [min(max(v, -end), end) for v in values]
    if kind == "int64" and draw(st.booleans()):
        values.append(-(1 << 63))
    shift = draw(st.integers(-130, 130) | st.integers(BITS[kind] - 3, BITS[kind] + 4))
    width = draw(st.integers(1, 130) | st.integers(BITS[kind] - 2, BITS[kind] + 2))
    return values, shift, min(width, MAX_WIDTH), draw(st.booleans()), *draw(st.sampled_from(MODES))


@pytest.mark.parametrize("kind", NEXT)
@given(data=st.data())
def test_cast_is_exact_at_the_ends_of_every_kind_of_array(kind, data):
    values, *args = data.draw(casts(kind))
    want = [expected(v, *args) for v in values]
    got = cast(KINDS[kind](values), *args)
    assert [int(v) for v in got] == want
    assert [cast(v, *args) for v in values] == want
    assert got.dtype.name in NEXT[NEXT.index(kind) :]
    assert args[1] <= BITS[got.dtype.name], "the kind of the result holds its type"
    if args[1] <= BITS[kind]:
        assert got.dtype.name == kind


@pytest.mark.parametrize("kind", NEXT)
@given(data=st.data())
def test_a_cast_that_is_proved_to_fit_only_rounds(kind, data):
    values, *args = data.draw(casts(kind))
    rounded = [round_slow(Fraction(v) / Fraction(2) ** args[0], args[3].name) for v in values]
    ends = "SAT_SYM" if args[4] is Overflow.SAT_SYM else "SAT"
    fitting = [v for v, r in zip(values, rounded, strict=True) if fold_slow(r, *args[1:3], ends) == r]
    if fitting:
        got = cast(KINDS[kind](fitting), *args, fits=True)
        assert [int(v) for v in got] == [expected(v, *args) for v in fitting]


@pytest.mark.parametrize(("kind", "bits"), [("float32", 24), ("float64", 53)])
@pytest.mark.parametrize("rounding", Rounding)
def test_floats_just_below_a_half_are_not_rounded_up(kind, bits, rounding):
    values = [s * (2**bits - d) for s in (1, -1) for d in range(3)]
    for shift in range(bits - 1, bits + 3):
        got = cast(KINDS[kind](values), shift, 8, True, rounding, Overflow.SAT)
        assert got.tolist() == [expected(v, shift, 8, True, rounding, Overflow.SAT) for v in values]


def test_arrays_without_axes_and_scalars_of_numpy_are_numbers_too():
    zero_d = cast(np.array(77), 3, 63, False, Rounding.RND, Overflow.WRAP)
    assert zero_d.shape == ()
    assert zero_d.dtype == np.int64
    assert zero_d == 10
    assert cast(np.int8(-128), 0, 70, False, Rounding.TRN, Overflow.WRAP) == 2**70 - 128


@given(st.integers(-(1 << 90), 1 << 90), st.integers(-20, 80), types(100))
def test_cast_to_takes_the_difference_of_the_fractions(mantissa, fraction, kind):
    kind = FixedType(kind.width, kind.width - kind.fraction % 64, kind.signed, kind.rounding, kind.overflow)
    assert cast_to(mantissa, fraction, kind) == cast_slow(Fraction(mantissa) / Fraction(2) ** fraction, kind)
