"""What README and docs show is what happens."""

import configparser
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
import unittest.mock

import pytest
from PIL import Image

from nonlocal_keras.cli.main import main
from nonlocal_keras.export import litert
from nonlocal_keras.export import onnx
from nonlocal_keras.export import serving
from nonlocal_keras.layers import initialization
from tests.support import coco_files
from tests.support import detectors
from tests.support import runs
from tests.support import small
from tests.support import stand_ins
from tests.support import videos
from tests.support.paths import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md"]) + sorted(
    (ROOT / "docs").glob("*.md")
)


def blocks(language):
    """`(page, number, text)` of every fenced block of a language."""
    found = []
    for page in PAGES:
        pattern = rf"^```{language}\n(.*?)^```"
        texts = re.findall(pattern, page.read_text(), re.DOTALL | re.MULTILINE)
        found += [(page.name, i, text) for i, text in enumerate(texts, 1)]
    return found


def commands():
    """Every line of the shell blocks, without its comment."""
    return [
        line.partition("  #")[0].strip()
        for _, _, text in blocks("bash")
        for line in text.replace("\\\n", " ").splitlines()
    ]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A zoo that has a small model under the name that the pages load."""
    root = tmp_path_factory.mktemp("zoo")
    stand_ins.write_zoo(root)
    return root


@pytest.fixture(autouse=True)
def folder_with_the_files(tmp_path, monkeypatch, cache):
    stand_ins.write_checkpoints(tmp_path)
    runs.write_run(tmp_path / "runs" / "longrange")
    videos.write_video(tmp_path / "clip.mp4", frames=12)
    for name in ("photo.jpg", "other.png"):
        Image.fromarray(detectors.images((50, 80))[0]).save(tmp_path / name)
    coco_files.write(tmp_path, [coco_files.image(1)], [coco_files.thing(1)])
    shutil.copytree(cache, tmp_path / "home" / "zoo")
    monkeypatch.setenv("NONLOCAL_KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(text, id=f"{page}-{i}")
        for page, i, text in blocks("python")
        # Clients need a server: tests/export/test_clients.py runs them. Model
        # Garden has an environment of its own: tests/integrations.
        if "localhost:" not in text and "model_garden" not in text
    ],
)
def test_a_python_block_runs(text):
    # No block shows a weight.
    with initialization.no_random_weights():
        exec(compile(text, "block", "exec"), {"__name__": "block"})


def test_every_file_of_code_that_a_page_names_exists():
    files = ["train.py"] + [
        path.relative_to(ROOT).as_posix()
        for folder in ("nonlocal_keras", "zoo", "tests", "benchmarks")
        for path in (ROOT / folder).rglob("*.*")
    ]
    for page in PAGES:
        for name in re.findall(r"`([\w./-]+\.(?:py|sh))`", page.read_text()):
            # Rooms of the package may be named without `nonlocal_keras`.
            assert any(f"/{file}".endswith(f"/{name}") for file in files), (
                f"{page.name} names {name}"
            )


def test_every_name_of_code_that_a_page_shows_exists():
    rooms = [p.stem for p in (ROOT / "nonlocal_keras").iterdir()]
    pattern = rf"`((?:nonlocal_keras|zoo|{'|'.join(rooms)})\.[\w.]+)[`(]"
    files = (".py", ".csv", ".json", ".md", ".txt")
    for page in PAGES:
        for name in re.findall(pattern, page.read_text()):
            if not name.endswith(files):
                of_package = name.startswith(("nonlocal_keras.", "zoo."))
                full = name if of_package else f"nonlocal_keras.{name}"
                assert pkgutil.resolve_name(full) is not None, page.name


def test_every_link_leads_to_a_file():
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            if not link.startswith(("http://", "https://")):
                assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_make_target_is_a_target():
    if not shutil.which("make"):
        pytest.skip("no make on this machine")
    targets = {c.split()[1] for c in commands() if c.startswith("make ")}
    assert {"train", "test", "test-all", "lint"} <= targets
    for target in targets:
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True)


@pytest.fixture
def exports_take_their_arguments(monkeypatch):
    """Without an export; tests/cli/test_export.py makes one of each kind."""
    for module in (litert, onnx, serving):
        name = f"to_{module.__name__.rpartition('.')[2]}"
        stand_in = unittest.mock.create_autospec(getattr(module, name))
        monkeypatch.setattr(module, name, stand_in)


@pytest.mark.usefixtures("exports_take_their_arguments")
def test_every_command_of_the_package_runs(capsys):
    run_commands("nonlocal-keras ")


@pytest.mark.slow
def test_every_export_of_a_page_is_made(capsys):
    run_commands("nonlocal-keras export ")


def run_commands(start):
    lines = [c for c in commands() if c.startswith(start)]
    assert lines
    clip = {k: v for k, v in small.record()["input"].items() if k != "channels"}
    small.classifier(preprocessing=clip).save("mine.keras")
    detectors.small(
        labels=("background", "person", "kite"), num_keypoints=None
    ).save("detector.keras")
    for line in lines:
        assert main(shlex.split(line)[1:]) == 0, line


def test_every_call_of_train_has_valid_flags():
    lines = [c for c in commands() if c.startswith("python train.py ")]
    assert lines
    # In one process, whose start takes longer than all of them.
    check = """
import sys, shlex, train
from absl import flags
from absl.testing import flagsaver
for line in sys.argv[1:]:
    with flagsaver.flagsaver():
        flags.FLAGS(shlex.split(line)[1:])
        print(train.read_recipe().models)
"""
    done = subprocess.run(
        [sys.executable, "-c", check, *lines],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(lines)


def test_every_call_of_a_benchmark_has_valid_choices():
    lines = [c for c in commands() if c.startswith("python -m benchmarks.")]
    assert lines
    # Choices are checked up to the help, which is all that it prints.
    check = """
import runpy, shlex, sys
for line in sys.argv[1:]:
    python, m, module, *sys.argv = shlex.split(line)
    sys.argv = [module, *sys.argv, "--help"]
    try:
        runpy.run_module(module, run_name="__main__")
    except SystemExit as end:
        assert not end.code, line
"""
    done = subprocess.run(
        [sys.executable, "-c", check, *lines],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("usage: ") == len(lines)


def test_every_extra_that_is_installed_is_one():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    told = [c for c in commands() if c.startswith("pip install '.[")]
    assert len(told) == 6
    for line in told:
        for extra in re.search(r"\[(.+)\]", line)[1].split(","):
            assert extra in settings["options.extras_require"], line


def test_no_shell_command_goes_unchecked():
    known = (
        "make ",
        "nonlocal-keras ",
        "python train.py ",
        "python -m benchmarks.",
        "git clone ",
        "pip install '.[",
        # The server is no package; the other one runs in
        # tests/export/test_clients.py.
        "docker run ",
        "saved_model_cli ",
    )
    rest = [c for c in commands() if c and not c.startswith(known)]
    # `pip install .` is what every target of the Makefile does first.
    assert set(rest) <= {
        "cd nonlocal-keras",
        "export SLOWFAST=$PWD/SlowFast",
        "peer=build/benchmarks/torch/bin/python",
        "pip install .",
        # tests/test_packaging.py holds the list to that of the package.
        "pip install -r requirements-without-tensorflow.txt jax",
        "pip install --no-deps .",
        # A package index, for another machine.
        "benchmarks/gpu/wheels.sh build/wheels 3.12",
        # Hours, and gigabytes of other projects.
        "benchmarks/parity/run.sh .venv/bin/python build/parity",
    }


def test_the_table_of_the_zoo_is_that_of_the_records(capsys, monkeypatch):
    monkeypatch.setenv("NONLOCAL_KERAS_HOME", "none")
    assert main(["list", "--markdown"]) == 0
    table = capsys.readouterr().out
    assert table in (ROOT / "README.md").read_text()


@pytest.mark.slow
def test_a_clean_clone_trains(tmp_path):
    """`make train` in a clone: needs a package index and some minutes."""
    subprocess.run(
        ["git", "clone", "-q", str(ROOT), "clone"],
        cwd=tmp_path,
        check=True,
    )
    done = subprocess.run(
        ["make", "train"],
        cwd=tmp_path / "clone",
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "predicts the same" in done.stdout
