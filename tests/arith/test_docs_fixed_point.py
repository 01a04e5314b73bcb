"""The examples of docs/fixed-point.md print what the page says."""

import doctest
import re

from nn2hls.arith.fixed import Overflow, Rounding
from tests.kit.paths import ROOT

PAGE = ROOT / "docs" / "fixed-point.md"


def test_the_examples_of_the_page_hold():
    result = doctest.testfile(str(PAGE), module_relative=False)
    assert result.attempted > 15
    assert result.failed == 0


def test_the_page_shows_every_mode():
    shown = set(re.findall(r"^AP_(\w+) +-?\d", PAGE.read_text(), re.MULTILINE))
    assert shown == {m.name for m in (*Rounding, *Overflow)}
