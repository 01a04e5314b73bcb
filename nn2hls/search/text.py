"""A search for people: how far each width can fall, the front, the chosen design."""

from __future__ import annotations

import math

from nn2hls import text
from nn2hls.search.result import Search


def search_text(found: Search) -> str:
    """All of it."""
    return "\n".join([_sensitivity_text(found), _front_text(found), _chosen_text(found)])


def _loss(found: Search, value: float | None) -> str | None:
    """A loss in its unit: a share of events, noise by signal, or what the metric has."""
    if value is None:
        return None
    metric = found.judge.metric
    if metric.unit == "dB":
        return f"{10 * math.log10(value):.1f} dB" if value > 0 else "none"
    return text.percent(value) if metric.unit == "%" else text.number(value, 3)


def _score(found: Search, value: float | None) -> str | None:
    """A score; None is an SQNR without noise."""
    return found.judge.metric.show(math.inf if value is None and found.judge.metric.unit == "dB" else value)


def _sensitivity_text(found: Search) -> str:
    bits = range(found.space.widths()[0].high - 1, 1, -1)
    what = "noise" if found.judge.metric.unit == "dB" else "loss"
    head = [f"{what} when lowered alone", *(f"{b} bits" for b in bits), "bears"]
    rows = [[s.name, *(_loss(found, s.losses.get(b)) for b in bits), s.lowest] for s in found.sensitivities]
    return text.table(head, rows)


def _front_text(found: Search) -> str:
    what = "noise" if found.judge.metric.unit == "dB" else "loss"
    head = ["", found.judge.metric.words, what, "at most", "cost", "DSP", "LUT", "FF", "BRAM", "II", "ns"]
    rows = [
        [
            "chosen" if c is found.chosen else "",
            _score(found, c.score),
            _loss(found, c.loss),
            _loss(found, c.loss_bound),
            *(c.cost, c.dsp, c.lut, c.ff, c.bram, c.ii),
            text.number(c.latency_ns),
            found.space.short(c.params),
        ]
        for c in sorted({id(c): c for c in (*found.front, found.chosen)}.values(), key=lambda c: c.cost)
        if c is found.chosen or c.loss <= 4 * found.max_loss
    ]
    table = text.table([*head, "bits of results, weights"], rows)
    return f"Pareto front, {'noise' if what == 'noise' else 'losses'} of up to {_loss(found, 4 * found.max_loss)}:\n{table}"


def _chosen_text(found: Search) -> str:
    c, held, exact = found.chosen, found.held, found.judge.metric.unit == "dB"
    head = ["", "events", "float", "chosen", "noise" if exact else "loss"]
    rows = [
        ["search", found.events, _score(found, found.score_float), _score(found, c.score), _loss(found, c.loss)],
        ["never seen", held.events, _score(found, held.score_float), _score(found, held.score), _loss(found, held.loss)],
    ]
    lines = text.table(head, rows)
    if "cost" in found.uniform:
        share = f"{c.cost / found.uniform['cost']:.1%}"
        lines += f"cost = LUT + 100 DSP: {c.cost:,}, which is {share} of the {found.uniform['cost']:,} of ap_fixed<16,6>\n"
    if found.slow:
        lines += f"No design found takes at most {text.number(found.max_latency)} ns; this one is the fastest.\n"
    elif not found.kept:
        asked = f"a loss of {_loss(found, found.max_loss)}"
        if found.target is not None:
            asked = f"{found.judge.metric.words} {found.judge.metric.show(found.target)}"
        lines += f"No design keeps {asked} for sure; this one loses least.\n"
    return lines + f"{found.judge.text()}\n{found.designs} designs in {found.seconds:.1f} s, seed {found.seed}\n"
