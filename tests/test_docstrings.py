"""What the examples of docstrings show is what happens."""

import doctest
import importlib
import pkgutil
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

import nonlocal_keras
import zoo
from nonlocal_keras.layers import initialization
from tests.support import coco_files
from tests.support import runs
from tests.support import stand_ins
from tests.support import videos

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# What the stand-in of the published model tells apart: three of its classes,
# for the last of which it takes the clip below.
LABELS = ("answering questions", "air drumming", "abseiling")


def modules():
    """Returns all modules of the package and the zoo."""
    found = [nonlocal_keras, zoo]
    for package in (nonlocal_keras, zoo):
        paths = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        names = (path.name for path in paths if "__main__" not in path.name)
        # The libraries of these are not installed: `make test-tfm`.
        names = (name for name in names if ".integrations." not in name)
        found += map(importlib.import_module, names)
    return found


def examples(module):
    """Returns the docstrings of a module that have examples, in order."""
    import tensorflow as tf

    names = {
        "keras": keras,
        "nonlocal_keras": nonlocal_keras,
        "np": np,
        "tf": tf,
        "zoo": zoo,
    }
    found = doctest.DocTestFinder().find(module, globs=names)
    return sorted((t for t in found if t.examples), key=lambda t: t.lineno)


EXAMPLES = {m.__name__: found for m in modules() if (found := examples(m))}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with what examples read."""
    folder = tmp_path_factory.mktemp("files")
    stand_ins.write_checkpoints(folder)
    clip = videos.moving_images(64, height=240, width=320)
    videos.write_images(folder / "clip.mp4", clip, rate=25)
    Image.fromarray(clip[0][::5, ::5]).save(folder / "photo.jpg")
    coco_files.write(
        folder,
        [coco_files.image(1), coco_files.image(7, file_name="gone.png")],
        [coco_files.thing(1)],
        drawn=(1,),
    )
    runs.write_run(folder / "runs" / "longrange")
    for split in ("train", "val"):
        classes = folder / "videos" / split
        videos.write_classes(classes, ("walking", "waving"), each=2)
    return folder


@pytest.fixture(autouse=True)
def folder_of_the_files(tmp_path, monkeypatch, files):
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("NONLOCAL_KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def quick_and_quiet():
    """No bars of progress, and no draws of weights: no example shows any."""
    keras.config.disable_interactive_logging()
    with initialization.no_random_weights():
        yield
    keras.config.enable_interactive_logging()


@pytest.mark.parametrize("module", EXAMPLES)
def test_the_examples_of_a_module_show_what_happens(module, tmp_path):
    """They share a folder: what one of them writes another one may read."""
    sources = [e.source for test in EXAMPLES[module] for e in test.examples]
    if any(f'load("{stand_ins.MODEL}")' in source for source in sources):
        metrics = zoo.info(stand_ins.MODEL).metrics
        root = tmp_path / "home" / "zoo"
        stand_ins.write_zoo(root, labels=LABELS, metrics=metrics)
    runner = doctest.DocTestRunner(verbose=False, optionflags=FLAGS)
    told = []
    for example in EXAMPLES[module]:
        runner.run(example, out=told.append)
    assert not runner.failures, "".join(told)


def test_every_function_of_the_first_page_has_an_example():
    shown = {t.name.split(".")[-1] for e in EXAMPLES.values() for t in e}
    public = {
        name
        for name in (*nonlocal_keras.__all__, *zoo.__all__)
        if callable(getattr(nonlocal_keras, name, None) or getattr(zoo, name))
    }
    # Two that functions return, and two whose subject only a user has.
    assert public - shown == {"Evaluation", "Record", "path", "register"}
