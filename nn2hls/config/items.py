"""From the tree of items to a Config: looks every key up in the table and collects all errors of a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nn2hls.arith.fixed import FixedType
from nn2hls.config.keys import ALL_KEYS, BARE_WORDS, Key, Place, Status, keys_at
from nn2hls.config.values import Noted, fixed_type
from nn2hls.config.yaml import Item, Tagged, plain
from nn2hls.errors import ConfigError, Nn2hlsError, suggest


@dataclass(frozen=True)
class Setting:
    """A value and where it was set."""

    value: Any
    where: str
    bare: bool = False  # a bare type set it, or the word ``default``, not its own word
    default: bool = False  # the word ``default`` set it, as in the files that hls4ml writes


@dataclass(frozen=True)
class Level:
    """The settings of HLSConfig: Model, of one LayerType or of one LayerName.

    Args:
        where: Where the block stands.
        name: The layer or the type, as it is written.
        settings: By field: ``reuse``, ``strategy``, ``table_size``, ``max_width``, ``target_sqnr``, ``calibration``.
        precision: By word; a value of None means that the type is derived (``auto``).
    """

    where: str = ""
    name: str = ""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    precision: Mapping[str, Setting] = field(default_factory=dict)


class Problems:
    """Collects errors, so that a file's errors come together; of a file that is wrong all over, the first ones."""

    MOST = 100

    def __init__(self) -> None:
        self.found: list[ConfigError] = []

    @contextmanager
    def at(self, where: str, key: str) -> Iterator[None]:
        """Errors raised inside are kept, with the place and the key."""
        try:
            yield
        except Nn2hlsError as error:
            what = f"{key}: {error.what}" if key else error.what
            self.found.append(ConfigError(what, where=error.where or where, fix=error.fix))

    def raise_all(self) -> None:
        """Raise what was found.

        Raises:
            ConfigError: One error as it is, several as one that lists them, at the place of the first.
        """
        if len(self.found) == 1:
            raise self.found[0]
        if self.found:
            lines = "".join(f"\n  {e}" for e in self.found)
            count = f"{len(self.found)} errors{', or more,' if len(self.found) >= self.MOST else ''}"
            raise ConfigError(f"{count} in the config:{lines}")


class BlockReader:
    """Reads the blocks of one config.

    Args:
        problems: Takes the errors.
        base: The folder that model and data paths start from.
    """

    def __init__(self, problems: Problems, base: Path) -> None:
        self.problems, self.base = problems, base
        self._notes: dict[str, list[str]] = {}
        self._without_effect: dict[str, list[str]] = {}  # places by key

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know, one line a thing; many keys without effect share one line."""
        lines = [_line(places, text) for text, places in self._notes.items()]
        if len(self._without_effect) <= _FEW:
            helps = {k.name: k.help for k in ALL_KEYS if k.status is Status.OBSOLETE}
            return (*lines, *(_line(p, f"{name} has no effect. {helps[name]}") for name, p in self._without_effect.items()))
        names = ", ".join(self._without_effect)
        places = [p for places in self._without_effect.values() for p in places]
        return (*lines, _line(places, f"These keys have no effect, docs/config.md says why: {names}."))

    def block(self, item: Item, name: str) -> dict[str, Item]:
        """The keys of a block; an empty block has none."""
        if item.value is None:
            return {}
        if not isinstance(item.value, dict):
            self.problems.found.append(
                ConfigError(f"{name}: This must be a block of keys, not {item.value!r}.", where=item.where)
            )
            return {}
        return item.value

    def each(self, items: Mapping[str, Item], place: Place, take: Callable[[Key, Item], None]) -> None:
        """Hand the honoured keys of a block to ``take``; the others, and the errors it raises, become notes and errors."""
        known = keys_at(place)
        seen: dict[str, str] = {}
        for name, item in items.items():
            if len(self.problems.found) >= Problems.MOST:
                return
            key = known.get(name.lower())
            with self.problems.at(item.where, name):
                if key is None:
                    raise self._unknown(name, item, place)
                if key.name in seen:
                    raise ConfigError("This key is repeated.", fix=f"It is '{seen[key.name]}' in another case; keep one.")
                seen[key.name] = name
                if item.value is None:
                    continue  # null is absent
                if key.status is Status.REFUSED:
                    raise ConfigError("This is not offered.", fix=key.help)
                if key.status is Status.OBSOLETE:
                    self._obsolete(key, item)
                else:
                    take(key, item)

    def _unknown(self, name: str, item: Item, place: Place) -> ConfigError:
        elsewhere = [p for p in Place if p is not place and name.lower() in keys_at(p)]
        if elsewhere:
            return ConfigError("This key does not belong here.", fix=f"It stands {_PLACES[elsewhere[0]]}.")
        if place is Place.HLS and isinstance(item.value, dict):
            return ConfigError(
                f"'{name}' is not a known key.", fix=f"A layer stands under LayerName: write LayerName: {name}:."
            )
        known = [k.name for k in keys_at(place).values() if k.status is Status.HONOURED]
        return ConfigError(f"'{name}' is not a known key.", fix=suggest(name, known) or f"Known are {', '.join(known)}.")

    def _obsolete(self, key: Key, item: Item) -> None:
        try:
            key.reader(item.value)
        except Nn2hlsError as error:
            raise ConfigError(error.what, fix=error.fix or key.help) from error
        self._without_effect.setdefault(key.name, []).append(item.where)

    def note(self, text: str, where: str) -> None:
        """Keep a note; equal ones become one line."""
        self._notes.setdefault(text, []).append(where)

    def value(self, key: Key, item: Item) -> Any:
        """The value of a key outside of blocks, read by its reader; paths are made absolute but for OutputDir.

        A value that means another one here leaves a note; None when it means nothing.
        """
        value = key.reader(plain(item.value))
        if isinstance(value, Noted):
            self.note(f"{key.name}: {value.note}", item.where)
            return value.value
        if key.field == "input_scaling":
            return {name: one.beside(self.base) for name, one in value.items()}
        if isinstance(value, Tagged):
            return self._beside(Path(str(value.value)))
        if key.values == "file" and isinstance(value, (str, Path)):
            return (self.base / Path(value).expanduser()).absolute()
        return Path(os.path.expanduser(value)) if key.values == "folder" else value

    def _beside(self, path: Path) -> Path:
        """The Keras model that hls4ml saved beside its config, and named from the folder it ran in."""
        near, there = (self.base / path.name).absolute(), path.absolute()
        return there if not near.exists() and there.exists() else near

    def level(self, item: Item, name: str, place: Place) -> Level:
        """A block of settings."""
        settings: dict[str, Setting] = {}
        own: dict[str, Setting] = {}
        words: dict[str, Setting] = {}

        def take(key: Key, entry: Item) -> None:
            if key.name == "Precision":
                self._precision(entry, words, settings)
            elif key in _TYPE_KEYS:
                self._put(own, key.field, Setting(fixed_type(entry.value), entry.where))
            else:
                self._put_value(settings, key, entry)

        self.each(self.block(item, name), place, take)
        precision = self._first(own, words)
        bare = precision.pop("default", None)
        if bare is not None:
            bare_words = BARE_WORDS if place is Place.MODEL else tuple(w for w in BARE_WORDS if w != "input")
            precision = {**dict.fromkeys(bare_words, replace(bare, bare=True)), **precision}
        return Level(item.where, name, settings, precision)

    def _first(self, own: Mapping[str, Setting], words: Mapping[str, Setting]) -> dict[str, Setting]:
        """A key such as ``table_t`` comes before the word ``table`` of Precision, as in hls4ml."""
        for word in own.keys() & words.keys():
            first, second = own[word].value, words[word].value
            if second is not None and first != second:
                self.note(f"{word}_t, {_say(first)}, comes before {word} of Precision, {_say(second)}.", own[word].where)
        return {**words, **own}

    def _precision(self, item: Item, found: dict[str, Setting], settings: dict[str, Setting]) -> None:
        if not isinstance(item.value, dict):
            self._put(found, "default", Setting(fixed_type(item.value), item.where))
            return
        words = {_word(name): entry for name, entry in item.value.items()}
        if len(words) < len(item.value):
            raise ConfigError("A word is named twice, with and without '_t'.", fix="Keep one of them.")

        def take(key: Key, entry: Item) -> None:
            if key.field == "max_width":
                self._put_value(settings, key, entry)
            else:
                self._put(found, key.field, Setting(fixed_type(entry.value), entry.where, default=key.field == "default"))

        self.each(words, Place.WORD, take)

    def _put_value(self, found: dict[str, Setting], key: Key, item: Item) -> None:
        value = self.value(key, item)
        if value is not None:
            self._put(found, key.field, Setting(value, item.where))

    def _put(self, found: dict[str, Setting], name: str, setting: Setting) -> None:
        first = found.get(name)
        if first is not None and first.value != setting.value:
            raise ConfigError(
                f"It is {_say(first.value)} at {first.where} and {_say(setting.value)} here.", fix="Keep one of them."
            )
        found[name] = setting


_TYPE_KEYS = frozenset(k for k in keys_at(Place.LAYER).values() if k.reader is fixed_type)

_PLACES = {
    Place.TOP: "at the top of the file",
    Place.HLS: "under HLSConfig",
    Place.MODEL: "under HLSConfig: Model",
    Place.LAYER: "under HLSConfig: LayerType: or LayerName:, in the block of a layer",
    Place.WORD: "under Precision",
    Place.WRITER: "under WriterConfig",
}


_FEW = 4  # keys without effect that get a line each


def _line(places: list[str], text: str) -> str:
    more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
    return f"{places[0]}{more}: {text}"


def _word(name: str) -> str:
    return name[:-2] if name.lower().endswith("_t") else name


def _say(value: FixedType | Any) -> str:
    return "auto" if value is None else str(value)
