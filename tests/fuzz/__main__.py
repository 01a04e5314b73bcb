"""``python -m tests.fuzz numbers|files --seconds N --seed S``: random cases without an end, from the repository's root."""

import sys
from importlib import import_module

SUBCOMMANDS = {"numbers": "tests.fuzz.numbers", "files": "tests.fuzz.files"}  # each has main(arguments) -> exit status


def main(arguments: list[str]) -> int:
    """Run the subcommand named first; its module is imported only then."""
    if not arguments or arguments[0] not in SUBCOMMANDS:
        print(f"usage: python -m tests.fuzz {'|'.join(SUBCOMMANDS)} [--help]", file=sys.stderr)
        return 2
    return import_module(SUBCOMMANDS[arguments[0]]).main(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
