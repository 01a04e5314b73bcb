"""A board's serial port, stated bit by bit."""

import struct


def crc(data):
    """CRC-16 of the polynomial 1021, from ffff, one bit after the other."""
    state = 0xFFFF
    for byte in data:
        for k in range(7, -1, -1):
            out = state >> 15 ^ byte >> k & 1
            state = (state << 1 & 0xFFFF) ^ (0x1021 if out else 0)
    return state


def payload(tensors, arrays):
    """An event as bytes: each mantissa in two's complement, bits from the lowest on, the last byte filled with zeros."""
    bits = []
    for tensor, array in zip(tensors, arrays, strict=True):
        width = tensor.kind.width
        bits += [int(m) >> k & 1 for m in array.reshape(-1).tolist() for k in range(width)]
    bits += [0] * (-len(bits) % 8)
    return bytes(sum(bit << k for k, bit in enumerate(bits[i : i + 8])) for i in range(0, len(bits), 8))


def answer(outputs, *, clocks=0, status=0):
    """The frame of an answer."""
    inside = struct.pack("<BI", status, clocks) + outputs
    return b"\x5a" + inside + struct.pack("<H", crc(inside))


def frame(inputs):
    """The frame of a request."""
    inside = struct.pack("<H", len(inputs)) + inputs
    return b"\xa5" + inside + struct.pack("<H", crc(inside))
