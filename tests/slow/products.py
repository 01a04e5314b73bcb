"""The products of a constant matrix after sharing, counted from the weights alone, without any plan."""

from dataclasses import dataclass

import numpy as np

from nn2hls.arith.csd import digit_count


@dataclass(frozen=True, eq=False)
class Products:
    """The distinct non-zero products of a constant matrix: equal (input, weight) pairs are one product.

    Args:
        row: Input index of each product, ascending.
        value: Weight mantissa of each product.
        digits: Canonical signed digits of each value: 1 is a shift, 2 one adder, 3 or more a multiplier.
        nonzeros: Non-zero weights before sharing.
    """

    row: np.ndarray
    value: np.ndarray
    digits: np.ndarray
    nonzeros: int

    @property
    def adders(self) -> int:
        """Products of two digits."""
        return int(np.count_nonzero(self.digits == 2))

    @property
    def multipliers(self) -> int:
        """Products of three or more digits."""
        return int(np.count_nonzero(self.digits >= 3))


def distinct_products(weight: np.ndarray) -> Products:
    """Class the products of ``weight`` (n_in, n_out), integer mantissas, after sharing equal pairs."""
    row, column = np.nonzero(weight)
    value = weight[row, column]
    if value.dtype == object:
        pairs = sorted(set(zip(row.tolist(), value.tolist(), strict=True)))
        rows = np.array([p[0] for p in pairs], dtype=np.int64)
        values = np.empty(len(pairs), dtype=object)
        values[:] = [p[1] for p in pairs]
    else:
        order = np.lexsort((value, row))
        rows, values = row[order], value[order]
        first = np.ones(rows.size, dtype=bool)
        first[1:] = (rows[1:] != rows[:-1]) | (values[1:] != values[:-1])
        rows, values = rows[first], values[first]
    return Products(rows, values, digit_count(values), int(row.size))
