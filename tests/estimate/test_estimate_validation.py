"""The estimation rules against public synthesis reports: what docs/estimation.md claims stays true."""

import pytest

from benchmarks import estimate_validation as v
from benchmarks.hls4ml_structure import Kernel, ff_terms, lut_terms
from nn2hls.hardware.schedule import Kind, Memory, Operator
from nn2hls.targets import find_part
from tests.kit.paths import ROOT

ZU7EV = find_part("xczu7ev-ffvc1156-2-e")


@pytest.mark.parametrize(("kind", "settings", "at_least"), [("dense", 122, 120), ("conv", 22, 22)])
def test_dsp_slices_of_resource_kernels(kind, settings, at_least):
    good, all_ = v.exact(kind, "dsp")
    assert all_ == settings
    assert good >= at_least


def test_our_own_cost_model_gives_the_same_dsp_slices():
    """One 16 x 16 bit multiplier per product of a step, by the family's data, not by the validation's formula."""
    right = 0
    for kernel, figure in v.kernels("dense"):
        multipliers = -(-kernel.n_in * kernel.n_out // kernel.reuse)
        right += ZU7EV.family.cost(Operator(Kind.MUL, (16, 16), multipliers)).dsp == figure["dsp"]
    assert right >= 120


def test_our_own_memory_model_gives_the_block_rams_of_deep_weights():
    rows = [(k, f) for k, f in v.kernels("dense") if k.n_out > 1 and 64 < k.steps <= 512]
    assert len(rows) > 30
    for kernel, figure in rows:
        memory = Memory(kernel.steps, 16 * kernel.multipliers, ports=1)
        assert abs(ZU7EV.family.memory(memory).bram - figure["bram"]) <= 1


@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_weight_memories_within_one(kind):
    good, all_ = v.exact(kind, "bram", 1.0)
    assert good == all_


def test_latency_within_a_clock():
    dense, conv = v.latency("dense"), v.latency("conv")
    assert dense.of_settings == 242
    assert dense.layers / dense.of_layers >= 0.95
    assert (conv.settings, conv.of_settings) == (89, 89)


def test_lut_and_ff_on_shapes_that_were_not_fitted():
    found = v.resource_errors()
    assert len(found) == 6
    for errors in found:
        assert errors.quantile(0.5) <= 0.10, str(errors)
        assert errors.quantile(0.9) <= 0.30, str(errors)


def test_multiplier_free_designs():
    errors = v.adder_errors()
    assert len(errors.values) == 20
    assert sum(map(abs, errors.values)) / 20 <= 0.06


def test_held_out_shapes_do_not_enter_the_fit():
    """Figures of the judged shape, made absurd, do not change its prediction."""
    rows = v.kernels("dense")
    hidden = {v.shape(rows[0][0])}
    absurd = [(k, {"ff": f["ff"] * (50 if v.shape(k) in hidden else 1)}) for k, f in rows]
    clean, spoilt = (v.held_out(r, ff_terms, "ff", [hidden]) for r in (rows, absurd))
    assert [50 * (1 + e) for e in spoilt] == pytest.approx([1 + e for e in clean])


def test_terms_are_what_they_say():
    full, shared = Kernel("dense", 64, 16, 4), Kernel("dense", 64, 16, 128)
    assert (full.multipliers, full.shared, shared.multipliers, shared.shared) == (256, 4 / 64, 8, 2.0)
    assert lut_terms(full) == ((1.0, 64, 256, 256 * 16, 0, 0), 0.0)
    assert lut_terms(shared) == ((1.0, 64, 8, 0, 16, 0), 0.0)
    assert ff_terms(full) == ((1.0, 256), 4 * 16 * 80)


def test_shares_after_synthesis_lie_in_the_bands_that_are_printed():
    for _, dsp, lut, ff in v.synthesis_shares():
        assert 0.895 <= dsp <= 1.04
        assert 0.28 <= lut <= 0.71
        assert 0.30 <= ff <= 0.83


def test_the_documentation_quotes_the_output(capsys):
    v.main()
    page = (ROOT / "docs" / "estimation.md").read_text(encoding="utf-8")
    for line in capsys.readouterr().out.splitlines():
        assert line in page, f"docs/estimation.md does not quote: {line}"
