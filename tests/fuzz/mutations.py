"""Mutations of files, of their bytes and of what they mean; each is drawn from a ``random.Random`` alone."""

import io
import json
import re
import struct
import zipfile

import h5py
import numpy as np

INTEGERS = (
    0,
    1,
    -1,
    2,
    3,
    7,
    64,
    255,
    1 << 16,
    1 << 31,
    (1 << 31) - 1,
    -(1 << 31),
    1 << 62,
    (1 << 63) - 1,
    1 << 64,
    10**13,
    10**399,
)
FLOATS = (0.5, -0.0, 1e-300, 1e200, 1e308, -1e38, 5e-324, float("inf"), float("-inf"), float("nan"))
WORDS = (
    "",
    "x",
    "..",
    "/",
    "a/b",
    "\0",
    "\n",
    "\x1b[31m",
    "%s",
    "{}",
    "true",
    "relu",
    "float32",
    "\ud800",
    "é",
    "A" * 5000,
    "=1+1",
    "<b>",
    "__proto__",
)


def some_bytes(rng, data):
    """One or several blind changes of bytes."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        at, size = rng.randrange(len(data) + 1), min(rng.choice((1, 2, 4, 8, 16, 64, 512)), len(data))
        change = rng.randrange(8)
        if change == 0 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif change == 1:
            data[at : at + size] = bytes(len(data[at : at + size]))
        elif change == 2:
            del data[at : at + size]
        elif change == 3:
            data[at:at] = data[at : at + size]
        elif change == 4:
            data[at : at + size] = rng.randbytes(size)
        elif change == 5:
            del data[at:]
        elif change == 6:
            number = rng.choice((0, 1, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 64) - 1))
            data[at : at + 8] = number.to_bytes(8, "little")[: rng.choice((2, 4, 8))]
        else:
            other = rng.randrange(len(data) + 1)
            data[at : at + size] = data[other : other + size]
    return bytes(data)


def _places(value, path=()):
    yield path
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield from _places(value[key], (*path, key))


def _at(value, path):
    for key in path:
        value = value[key]
    return value


def any_value(rng, root=None, paths=()):
    """A value of any kind, often one that stands elsewhere in ``root``."""
    pick = rng.randrange(9)
    if pick < 2 and paths:
        return json.loads(json.dumps(_at(root, rng.choice(paths))))
    if pick == 2:
        return rng.choice(INTEGERS)
    if pick == 3:
        return rng.choice(FLOATS)
    if pick == 4:
        return rng.choice(WORDS)
    if pick == 5:
        return [any_value(rng) for _ in range(rng.choice((0, 1, 2, 5)))]
    if pick == 6:
        return {rng.choice(WORDS): any_value(rng) for _ in range(rng.choice((0, 1, 3)))}
    return rng.choice(
        (None, True, False, -5, 17, [[]], {"class_name": "Dense", "config": {}}, {"class_name": "__tuple__", "items": [1]})
    )


def some_json(rng, data):
    """A JSON text with values swapped, keys renamed, parts dropped or repeated; now and then a text of a hostile form."""
    if rng.randrange(25) == 0:
        return rng.choice(_HOSTILE_JSON)(rng)
    root = json.loads(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        paths = list(_places(root))
        path = rng.choice(paths)
        if not path:
            continue
        above, key = _at(root, path[:-1]), path[-1]
        change = rng.randrange(6)
        if change < 3:
            above[key] = any_value(rng, root, paths)
        elif change == 3:
            del above[key]
        elif isinstance(above, list):
            above[rng.randrange(len(above) + 1) : 0] = [json.loads(json.dumps(above[key]))] * rng.choice((1, 1, 40))
        else:
            above[rng.choice((*WORDS, *above))] = above.pop(key)
    return json.dumps(root).encode()


_HOSTILE_JSON = (
    lambda rng: b"[" * rng.choice((150, 900, 100_000)) + b"]" * 150,
    lambda rng: b'{"a":' * rng.choice((150, 900, 100_000)) + b"1" + b"}" * 150,
    lambda rng: b'{"class_name":' + b"9" * rng.choice((400, 5000)) + b"}",
    lambda rng: json.dumps(
        rng.choice(([], "x", 3, None, [{}], {"config": []}, {"class_name": "Sequential", "config": []}))
    ).encode(),
    lambda rng: b"[" + b"[]," * rng.choice((1000, 2_000_000)) + b"0]",
    lambda rng: b"\xff\xfe" + b"{\0}\0",
)


def some_zip(rng, data, inner):
    """An archive with a member mutated by ``inner(name)``, its checksum right; or dropped, repeated, renamed, packed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [[i.filename, archive.read(i), zipfile.ZIP_STORED] for i in archive.infolist()]
    member = rng.choice(members)
    change = rng.randrange(12)
    if change < 7:
        member[1] = inner(member[0])(rng, member[1])
    elif change == 7:
        members.remove(member)
    elif change == 8:
        members.append([rng.choice((member[0], "x", "../x", "/x", "model.weights.npz", "a/data.pkl")), *member[1:]])
    elif change == 9:
        member[0] = rng.choice((*WORDS[:8], member[0] + "x", "../../" + member[0], "/" + member[0]))
    elif change == 10:
        member[1] = bytes(rng.choice((0, 1000, 1 << 20, 40 << 20)))
    if change >= 8:
        member[2] = rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as archive:
        for name, content, packed in members:
            archive.writestr(zipfile.ZipInfo(name or "x"), content, packed)
    packed = bytearray(result.getvalue())
    if rng.randrange(6) == 0:  # what the headers say of a member: flags, method, checksum, sizes
        mark = rng.choice((b"PK\3\4", b"PK\1\2"))
        at = packed.find(mark, rng.randrange(len(packed)))
        if at >= 0:
            at += (6 if mark == b"PK\3\4" else 8) + rng.randrange(20)
            packed[at] = rng.choice((0, 1, 8, 9, 12, 14, 93, 99, 255))
    return bytes(packed)


def some_hdf5(rng, data):
    """An HDF5 file with attributes, arrays or links replaced, or blind changes of its bytes."""
    if rng.randrange(2):
        return some_bytes(rng, data)
    stream = io.BytesIO(data)
    with h5py.File(stream, "r+") as file:
        groups, arrays = [file], []
        file.visititems(lambda name, x: (arrays if isinstance(x, h5py.Dataset) else groups).append(x))
        owners = [x.attrs for x in groups if len(x.attrs)]
        change = rng.randrange(6)
        if change < 3 and owners:
            _attribute(rng, rng.choice(owners))
        elif change < 5 and arrays:
            chosen = rng.choice(arrays)
            above, name = chosen.parent, chosen.name.rsplit("/", 1)[-1]
            values = chosen[()]
            del above[name]
            _array(rng, above, name, values)
        else:
            above, name = rng.choice(groups), rng.choice(("layers", "vars", "0", "x", "model_weights", "dense"))
            if name in above:
                del above[name]
            above[name] = rng.choice(
                (h5py.SoftLink("/"), h5py.SoftLink("/x"), h5py.ExternalLink("/etc/passwd", "/"), file["/"])
            )
    return stream.getvalue()


def _attribute(rng, attributes):
    name = rng.choice(sorted(attributes))
    value = attributes[name]
    if isinstance(value, str | bytes) and value[:1] in ("{", b"{"):
        value = some_json(rng, value)
        value = value.replace("\0", "") if isinstance(value, str) else value.replace(b"\0", b"")  # HDF5 writes no text with one
        attributes[name] = rng.choice((value, np.void(value), [value])) if len(value) < 60_000 else b"{"
    elif rng.randrange(2) or not isinstance(value, np.ndarray):
        attributes[name] = rng.choice(
            (0, b"", b"x", b"1.0", [b"x"], [1, 2], np.zeros((0,)), b"\xff", [b"fc"] * 50, h5py.Empty("f4"))
        )
    else:
        names = [*value, *value][: rng.randrange(2 * len(value) + 1)]
        attributes[name] = rng.sample(names, len(names)) if names else np.zeros((0,))


def _array(rng, above, name, values):
    kind = rng.randrange(8)
    if kind == 0:
        above.create_group(name)
    elif kind == 1:
        above.create_dataset(name, data=np.full(values.shape, rng.choice(FLOATS)))
    elif kind == 2:
        above.create_dataset(name, data=values.astype(rng.choice(("f2", "i1", "u8", "c8", "S3", "?"))))
    elif kind == 3:
        shape = rng.choice(((), (0,), (1 << 20,), (1 << 28,), (1 << 40,), (4, 4, 4), (1,) * 30))
        above.create_dataset(name, shape, "f4", chunks=rng.choice((None, True)) if shape else None)
    elif kind == 4:
        above.create_dataset(name, (1 << rng.choice((12, 22, 26)),), "f4", compression="gzip", chunks=True)[:4] = 1
    elif kind == 5 and values.shape:
        above.create_dataset(name, data=values, compression="gzip", shuffle=True)
    elif kind == 6:
        above.create_dataset(name, data=values.T if values.ndim > 1 else values.reshape(-1)[:-1])


def some_protobuf(rng, data, depth=0):
    """A protobuf message with fields changed, dropped, repeated or renumbered on any level; lengths stay right."""
    if not depth and rng.randrange(5) == 0:
        return some_bytes(rng, data)
    fields = _fields(data)
    if not fields:
        return some_bytes(rng, data)
    k = rng.randrange(len(fields))
    number, wire, value = fields[k]
    change = rng.randrange(8)
    if wire == 2 and change < 6:
        inner = some_protobuf if _fields(value) and rng.randrange(4) else some_bytes
        args = (rng, value, depth + 1) if inner is some_protobuf else (rng, value)
        value = rng.choice(WORDS).encode("utf-8", "surrogatepass") if rng.randrange(8) == 0 else inner(*args)
        fields[k] = (number, wire, value)
    elif change < 5:
        fields[k] = (number, wire, rng.choice(INTEGERS) % (1 << 64) if wire == 0 else rng.randbytes(len(value)))
    elif change == 5:
        del fields[k]
    elif change == 6:
        fields[k:k] = [fields[k]] * rng.choice((1, 2, 50))
    else:
        fields[k] = (rng.choice((1, 2, 3, 4, 5, 7, 8, 9, 20, number)), wire, value)
    return b"".join(_field(*f) for f in fields)


def _varint(value):
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _field(number, wire, value):
    head = _varint(number << 3 | wire)
    return head + (_varint(value) if wire == 0 else _varint(len(value)) + value if wire == 2 else value)


def _fields(data):
    """(number, wire type, value) of each field, or nothing when the bytes are no message."""
    fields, at = [], 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    try:
        while at < len(data):
            head = varint()
            number, wire = head >> 3, head & 7
            if not number or wire not in (0, 1, 2, 5):
                return []
            size = {0: 0, 1: 8, 5: 4}.get(wire) if wire != 2 else varint()
            fields.append((number, wire, varint() if wire == 0 else data[at : at + size]))
            at += size
    except IndexError:
        return []
    return fields if at == len(data) else []


_YAML = (
    *(
        "!!bool maybe",
        '!!int ""',
        "!!int x",
        "!!float y",
        "1:2:3:4" + ":59" * 400,
        "0x" + "f" * 500,
        "9" * 5000,
        ".inf",
        ".nan",
    ),
    *(
        "~",
        "null",
        "[]",
        "{}",
        "[[1, 2], {a: b}]",
        "&a [*a]",
        "*none",
        "<<: {a: 1}",
        "!!python/object/apply:os.system [id]",
        "true",
    ),
    *(
        "-1",
        "0",
        "1e400",
        "2026-11-29",
        '"\\ud800"',
        '"\\0"',
        "=1",
        "ap_fixed<16,6>",
        "ap_fixed<999,-999>",
        "auto",
        "[" * 50,
        "x" * 5000,
    ),
    *(
        "io_stream",
        "Resource",
        "? a",
        "- - - 1",
        "'",
        '"',
        "|",
        ">",
        "%TAG",
        "---",
        "!!set {a, b}",
        "!!binary aGk=",
        "1_000",
        "0o17",
    ),
)


def some_yaml(rng, data):
    """A YAML text with values, keys and lines swapped, dropped, repeated or indented otherwise."""
    if rng.randrange(10) == 0:
        return some_bytes(rng, data)
    lines = data.decode().splitlines()
    for _ in range(rng.choice((1, 1, 2, 3))):
        k = rng.randrange(len(lines))
        key, colon, _ = lines[k].partition(":")
        change = rng.randrange(8)
        if change < 4 and colon:
            lines[k] = f"{key}: {rng.choice(_YAML)}"
        elif change == 4:
            lines[k] = re.sub(r"\w+", lambda m: rng.choice((m[0], "Model", "Precision", "x", "LayerName")), lines[k])
        elif change == 5:
            lines[k : k + 1] = [lines[k]] * rng.choice((0, 2))
        elif change == 6:
            lines[k] = rng.choice(("", " ", "  ", "\t", "        ")) + lines[k].strip()
        else:
            other = rng.randrange(len(lines))
            lines[k], lines[other] = lines[other], lines[k]
        lines = lines or [""]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def some_npy(rng, data):
    """A .npy with a changed header, its length right, or blind changes of its bytes."""
    if rng.randrange(3) == 0:
        return some_bytes(rng, data)
    size = struct.unpack("<H", data[8:10])[0]
    header, body = data[10 : 10 + size].decode("latin1"), data[10 + size :]
    shapes = (
        "(True,)",
        "(10000000000000,)",
        "(-1,)",
        "(2.0,)",
        "()",
        "(0, 3)",
        "(1,)*9",
        f"({10**400},)",
        "None",
        "[3]",
        "(",
        "(3, 1, 4)",
    )
    kinds = ("|O", "<f2", ">f8", "<c8", "<U3", "|b1", "<M8[s]", "|V0", "<f16", "|S0", "<i9", "f4,i4", "\\0", "<u8")
    change = rng.randrange(4)
    if change == 0:
        header = re.sub(r"\(.*\)", lambda m: rng.choice(shapes), header)
    elif change == 1:
        header = re.sub(r"'[<|>][^']*'", lambda m: repr(rng.choice(kinds)), header)
    elif change == 2:
        cut = rng.randrange(len(header))
        header = (
            header[:cut]
            + rng.choice(("", "{", "[" * 200, "(", "'", "-" * 300, "\0", "lambda: 1"))
            + header[cut + rng.randrange(3) :]
        )
    else:
        header = header.replace("False", rng.choice(("True", "1", "None", "x")))
    head = header.encode("latin1", "replace")
    version = bytes([rng.choice((1, 1, 1, 2, 3, 9)), 0])
    return b"\x93NUMPY" + version + struct.pack("<H", len(head) % 65536) + head + body


def some_text(rng, data):
    """A table with words swapped, dropped or repeated, or blind changes of its bytes."""
    if rng.randrange(6) == 0:
        return some_bytes(rng, data)
    words = re.split(r"([,\s]+)", data.decode())
    odd = (
        *map(str, FLOATS),
        "",
        ",",
        "1,5",
        "\t",
        "1_0",
        "1e999",
        "9" * 400,
        "0x1",
        "\u0663",
        "#",
        "\0",
        '"1"',
        ";",
        "\n",
        "x",
    )
    for _ in range(rng.choice((1, 1, 2, 5))):
        words[rng.randrange(len(words))] = rng.choice(odd)
    return "".join(words).encode()
