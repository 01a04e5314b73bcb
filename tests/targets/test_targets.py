"""Parts as data: every row is sane, every spelling of a name finds its part, everything else is refused with a way out."""

import itertools

import pytest

from nn2hls.errors import ConfigError
from nn2hls.hardware.schedule import Kind, Memory, Operator
from nn2hls.targets import boards, family, find_part, part_names
from nn2hls.targets.bambu import bambu_device

FAMILIES = ["artix7", "kintex7", "ultrascale", "ultrascale_plus", "versal"]


@pytest.mark.parametrize("name", part_names())
def test_each_part_is_sane(name):
    part = find_part(name)
    assert part.name == name
    assert part.lut > 10 * part.dsp
    if part.family.vendor == "AMD":
        assert part.ff == 2 * part.lut  # two flip-flops per LUT in all these families
        assert part.bram18 % 2 == 0  # each RAMB36 is two
    assert part.grade in part.family.grades
    assert part.family.grades[part.family.reference] == 1.0


@pytest.mark.parametrize(
    ("text", "name", "grade"),
    [
        ("xcku115-flvb2104-2-i", "xcku115", "2"),
        ("XCVU13P-FLGA2577-2-E", "xcvu13p", "2"),
        ("xcvu9p-flgb2104-2-e", "xcvu9p", "2"),
        ("xc7z020clg400-1", "xc7z020", "1"),
        ("xc7z020-1clg400c", "xc7z020", "1"),
        ("xc7a35ticsg324-1L", "xc7a35t", "1l"),
        ("xc7k325tffg900-2", "xc7k325t", "2"),
        ("xcu250-figd2104-2L-e", "xcu250", "2l"),
        ("xczu7ev-ffvc1156-2-e", "xczu7ev", "2"),
        ("xck26-sfvc784-2LV-c", "xck26", "2lv"),
        ("xcvc1902-vsva2197-2MP-e-S", "xcvc1902", "2mp"),
        ("xczu9eg-ffvb1156-2-i-es2", "xczu9eg", "2"),
        (" pynq-z2 ", "xc7z020", "1"),
        ("PYNQ_Z2", "xc7z020", "1"),
        ("kv260", "xck26", "2lv"),
        ("alveo-u50", "xcu50", "2"),
        ("xcvu13p", "xcvu13p", "1"),
        ("LFE5U-25F-6BG381C", "lfe5u-25f", "6"),
        ("LFE5UM5G-85F-8BG554I", "lfe5um5g-85f", "8"),
        ("lfe5u-85f", "lfe5u-85f", "6"),
        ("iCE40UP5K-SG48", "ice40up5k", "up"),
        ("GW1NR-LV9QN88PC6/I5", "gw1nr-lv9", "c6"),
        ("ulx3s-25", "lfe5u-25f", "6"),
    ],
)
def test_spellings(text, name, grade):
    part = find_part(text)
    assert (part.name, part.grade) == (name, grade)


@pytest.mark.parametrize("board", sorted(boards()))
def test_every_board_has_a_known_part(board):
    assert find_part(board) == find_part(boards()[board])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("xcku116", "Did you mean 'xcku115'?"),
        ("xcku115-flvb2104-7-i", "Did you mean 'xcku115'?"),
        ("xcku115x", "Did you mean 'xcku115'?"),
        ("pynq-z3", "Did you mean 'pynq-z2'?"),
        ("stratix10", "Known are xc7z007s"),
        ("", "Known are"),
        ("xc7z020clg400-2lv", "comes in -1"),
    ],
)
def test_unknown_parts_are_refused_with_a_way_out(text, says):
    with pytest.raises(ConfigError) as error:
        find_part(text, where="config.yml:3")
    assert says in str(error.value)
    assert "config.yml:3" in str(error.value)


@pytest.mark.parametrize("part", ["xcvu13p", "xcu280-1", "xc7z045-1", "xcku115-flvb2104-2-i"])
def test_the_part_that_is_named_for_bambu_is_one_it_knows(part):
    with pytest.raises(ConfigError) as refused:
        bambu_device(part)
    named = refused.value.fix.split("set Part to ")[1].split(",")[0]
    assert bambu_device(named).name in refused.value.fix


def test_public_reports_agree_with_the_table():
    """Resources that Vivado printed in public reports: JEDI-linear's xcvu13p."""
    part = find_part("xcvu13p-flga2577-2-e")
    assert part.available == {"dsp": 12288, "lut": 1728000, "ff": 3456000, "bram": 5376, "uram": 1280}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_product_takes_more_dsps_when_it_outgrows_the_ports(name):
    kind = family(name)
    wide, narrow = kind.ports
    assert kind.dsps(kind.dsp_from - 1, 8) == 0
    assert kind.dsps(kind.dsp_from, 8) == 1
    assert kind.dsps(wide, narrow) == kind.dsps(narrow, wide) == 1
    assert kind.dsps(wide + 1, narrow) == 2
    assert kind.dsps(wide, narrow + 1) == 2
    assert kind.dsps(wide + 1, wide + 1) == 4
    # A second part lends one bit of each lower part to its zero sign.
    assert kind.dsps(wide + (wide - 1), narrow) == 2
    assert kind.dsps(wide + (wide - 1) + 1, narrow) == 3


def test_narrow_weights_are_fabric_unless_constant():
    """Weights of 4 bits or less take no DSP in a shared multiplier (estimation rule 5); 11 is 1011, three digits in 4 bits."""
    kind = family("ultrascale_plus")
    assert [kind.dsps(16, w) for w in (3, 4, 5)] == [0, 0, 1]
    assert kind.cost(Operator(Kind.MUL, (16, 4))).dsp == 0
    assert kind.cost(Operator(Kind.MUL_CONST, (16, 4))).dsp == 1


def test_families_differ_where_their_slices_differ():
    widths = [(25, 18), (27, 18), (27, 24)]
    dsps = {name: [family(name).dsps(*w) for w in widths] for name in FAMILIES}
    assert dsps["artix7"] == [1, 2, 2]
    assert dsps["ultrascale"] == dsps["ultrascale_plus"] == [1, 1, 2]
    assert dsps["versal"] == [1, 1, 1]


def test_fabric_multipliers_follow_the_reports():
    kind = family("ultrascale_plus")
    luts = [kind.cost(Operator(Kind.MUL_CONST, (w, 6))).lut for w in (7, 8, 9, 10)]
    assert luts == [33, 40, 49, 62]
    wider = [kind.cost(Operator(Kind.MUL_CONST, (w, 2))) for w in range(2, 12)]
    assert [c.dsp for c in wider] == [0] * 9 + [1]
    assert all(a.lut < b.lut for a, b in itertools.pairwise(wider[:9]))


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("kind", list(Kind))
def test_every_operator_has_a_cost_and_a_delay_that_grow_with_width(name, kind):
    small, large = (Operator(kind, (w, w) if kind is not Kind.ROM else (3, w)) for w in (4, 9))
    here = family(name)
    assert 0 < here.delay(small) <= here.delay(large)
    assert here.cost(small).lut <= here.cost(large).lut
    three = Operator(kind, large.widths, 3)
    assert here.cost(three).lut == 3 * here.cost(large).lut


@pytest.mark.parametrize(
    ("memory", "bram"),
    [
        (Memory(1024, 18), 1),
        (Memory(1024, 18, copies=32), 32),  # 64 sigmoids: one dual-ported table serves two lookups (estimation rule 8)
        (Memory(1024, 19), 2),
        (Memory(2048, 18), 2),
        (Memory(4096, 18), 4),
        (Memory(512, 36, ports=1), 1),
        (Memory(512, 36), 2),
        (Memory(64, 2048), 0),
        (Memory(128, 8), 0),
        (Memory(128, 2048, ports=1), 57),  # ceil(multipliers * width / 36) (estimation rule 5)
    ],
)
def test_block_rams(memory, bram):
    cost = family("ultrascale_plus").memory(memory)
    assert cost.bram == bram
    assert (cost.lut > 0) == (bram == 0)
