"""Scans: what patterns mean."""

import pytest

from nn2hls.errors import ConfigError, Nn2hlsError
from nn2hls.fixed import FixedType
from nn2hls.scan import parse_precisions, parse_reuses


def test_patterns_are_every_pair():
    found = parse_precisions("ap_fixed<{4..6},{2,3}>, ap_ufixed<8,0>")
    pairs = [(w, i) for w in (4, 5, 6) for i in (2, 3)]
    assert found == [FixedType(w, i) for w, i in pairs] + [FixedType(8, 0, signed=False)]
    assert parse_precisions("ap_fixed<{4..10..3},2,AP_RND,AP_SAT>") == [
        FixedType.parse(f"ap_fixed<{w},2,AP_RND,AP_SAT>") for w in (4, 7, 10)
    ]
    assert parse_precisions("ap_fixed<{2..4},3>") == [FixedType(4, 3)]
    assert parse_precisions("ap_fixed<3,3>") == [FixedType(3, 3)]
    assert parse_precisions(["int8", FixedType(8, 8)]) == [FixedType(8, 8)]


def test_ranges_of_reuse_factors():
    assert parse_reuses("1..6") == [1, 2, 3, 4, 5, 6]
    assert parse_reuses("1, 4,2..8..3") == [1, 4, 2, 5, 8]
    assert parse_reuses([3, 1]) == [3, 1]
    assert parse_reuses("") == []


@pytest.mark.parametrize("spec", ["6..1", "0", "0..3", "a", "1..2..0", "1.5", "1..99999999999", "1;2"])
def test_wrong_ranges_are_refused(spec):
    with pytest.raises(ConfigError):
        parse_reuses(spec)


@pytest.mark.parametrize("spec", ["ap_fixed<{4..},2>", "ap_fixd<{4..5},2>", "ap_fixed<{2..3},5>", "ap_fixed<{5..4},1>", "{"])
def test_wrong_patterns_are_refused(spec):
    with pytest.raises(Nn2hlsError):
        parse_precisions(spec)
