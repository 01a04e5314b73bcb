"""The cases of every lowering, by name."""

from tests.kit import (
    lowering_attention,
    lowering_cases,
    lowering_choices,
    lowering_moves,
    lowering_norms,
    lowering_products,
    lowering_recurrent,
    lowering_windows,
)

ROOMS = (
    lowering_cases,
    lowering_windows,
    lowering_moves,
    lowering_products,
    lowering_attention,
    lowering_norms,
    lowering_choices,
    lowering_recurrent,
)
CASES = {name: case for room in ROOMS for name, case in room.CASES.items()}
