"""Proxy models of HGQ 1: answers recorded from HGQ itself, equal in every value; what is not understood is refused by name."""

import json
import shutil

import h5py
import pytest

import nn2hls
from nn2hls.errors import UnsupportedError
from tests.kit.answers import equals_the_record
from tests.kit.paths import ROOT

FOLDER = ROOT / "tests" / "fixtures" / "hgq1"
NAMES = ("convolutions_all", "convolutions_batch", "dense_batch")


@pytest.mark.parametrize("name", NAMES)
def test_every_answer_is_that_of_the_proxy(name):
    equals_the_record("hgq1", name)


def changed(folder, name, change):
    """A copy of a file after ``change(specs of the layers, arrays by their place)``."""
    path = folder / "model.h5"
    shutil.copyfile(FOLDER / f"{name}.h5", path)
    with h5py.File(path, "r+") as file:
        config, places = json.loads(file.attrs["model_config"]), []
        file["model_weights"].visit(places.append)
        arrays = {place: file["model_weights"][place] for place in places if hasattr(file["model_weights"][place], "shape")}
        change(config["config"]["layers"], arrays)
        file.attrs["model_config"] = json.dumps(config)
    return path


def first(layers, kind):
    return next(spec for spec in layers if spec["class_name"].endswith(kind))


def option(kind, key, value):
    return lambda layers, _: first(layers, kind)["config"].update({key: value})


def fill(word, value):
    def change(_, arrays):
        place = next(place for place in sorted(arrays) if place.rpartition("/")[2].startswith(word))
        arrays[place][...] = value

    return change


def test_older_files_that_name_a_class_alone_are_read(tmp_path):
    """As the examples of hls4ml are."""

    def bare(layers, _):
        for spec in layers:
            spec["class_name"] = spec["class_name"].removeprefix("HGQ>")

    equals_the_record("hgq1", "dense_batch", changed(tmp_path, "dense_batch", bare))


def another_class(layers, _):
    first(layers, "Dense")["class_name"] = "HGQ>HDense"


@pytest.mark.parametrize(
    ("change", "message"),
    ids=range(8),
    argvalues=[
        (option("FixedPointQuantizer", "SAT", "WRAP_SM"), "'SAT' = 'WRAP_SM' of its quantiser is not offered; WRAP, SAT"),
        (option("FixedPointQuantizer", "RND", 3), "'RND' = 3 of its quantiser is not offered"),
        (option("FixedPointQuantizer", "dither", 3), "its option 'dither' = 3 is not understood"),
        (option("UnaryLUT", "kif_in", [1, 30, 30]), r"'kif_in' = \[1, 30, 30\] of its table is not a sign and up to 16 bits"),
        (option("UnaryLUT", "kif_in", [1, 1, 1]), "has no word for each value of 3 bits"),
        (fill("bits", -128), "its quantiser was left undefined: signs other than 0 and 1, or bits below zero"),
        (fill("bits", 120), "its type of 120 bits is not offered; up to 64 are"),
        (another_class, r"\(HDense\): a layer of HGQ 1 in training; trace its ranges and save the model"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(change, message, tmp_path):
    with pytest.raises(UnsupportedError, match=message):
        nn2hls.load(changed(tmp_path, "dense_batch", change))
