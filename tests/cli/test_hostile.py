"""No command shows a trace, whatever it is given and wherever it writes."""

import os
import shlex
import signal
import subprocess
import sys

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from nonlocal_keras import terminal
from nonlocal_keras.cli.main import main
from tests.support.checkpoint_bytes import MMACTION

TINY = "nl_c2d_tiny_longrange"
LONG, LONGER = 300 * "x", 5000 * "x"
ODD = "a\x1b[31mb\nc"

# In these, FILE, FOLDER and EMPTY stand for the paths of such things.
CACHES = {
    "FILE": "`cache_dir` must be a folder",
    "FILE/deeper": "`cache_dir` must be a folder",
    "~nosuchuser/x": "`cache_dir` must be the path of a folder",
    "": "`cache_dir` must be the path of a folder",
    f"/{LONG}": "`cache_dir` must be a folder",
    f"/{LONGER}": "`cache_dir` must be a folder",
}
NAMES = {
    LONG: "The zoo has no model named",
    LONGER: "The zoo has no model named",
    ODD: r"named 'a\x1b[31mb\nc'",
    "../x": "named '../x'",
    "": "named ''",
    "*": "named '*'",
}
SETTINGS = {
    "frames={[]:1}": "must be a Python literal",
    "frames=0": "`frames` must be",
    "input_shape=5": "`input_shape` must be",
    "momentum=[1]": "`momentum` must be",
    "fully_convolutional=5": "`fully_convolutional` must be",
    "num_classes=10000000000000": "`num_classes` must be",
    "stage_strides='x'": "`stage_strides` must be",
    "pool1=5": "`pool1` must be",
    "path=x": "An override of source 'mmaction2' must be",
    "frames": "of the form key=value",
    f"frames={9999 * '['}": "must be a Python literal",
    f"frames={9999 * '9'}": "must be a Python literal",
}
WITH_A_NAME = {
    "info": [],
    "download": ["--offline"],
    "verify": [],
    "publish": [],
    "predict": ["FILE", "--offline", "--model"],
}
CONVERT = ["convert", str(MMACTION), "--source", "mmaction2"]

CASES = [
    *(
        (["list", "--cache-dir", cache], words)
        for cache, words in CACHES.items()
    ),
    *(
        ([command, *flags, TINY, "--cache-dir", "FILE"], CACHES["FILE"])
        for command, flags in WITH_A_NAME.items()
    ),
    *(
        ([command, *flags, name], words)
        for command, flags in WITH_A_NAME.items()
        for name, words in NAMES.items()
    ),
    *(
        ([*CONVERT, "-o", "FOLDER/x.keras", "--set", text], words)
        for text, words in SETTINGS.items()
    ),
    ([*CONVERT, "-o", "FOLDER"], "`--output` must end in .keras"),
    ([*CONVERT, "-o", "FOLDER/f.keras"], "f.keras is a folder"),
    ([*CONVERT, "-o", "FILE/x.keras"], "lie in a folder that exists"),
    ([*CONVERT, "-o", f"FOLDER/{LONG}.keras"], "File name too long"),
    (["convert", "FOLDER", "--source", "vnl", "-o", "x.keras"], "a directory"),
    (["convert", "EMPTY", "--source", "vnl", "-o", "x.keras"], "empty file"),
    (["convert", LONG, "--source", "vnl", "-o", "x.keras"], "too long"),
    (["convert", ODD, "--source", "vnl", "-o", "x.keras"], r"a\x1b[31mb\nc"),
    (["convert", "EMPTY", "--source", ODD, "-o", "x.keras"], "--source"),
    (["predict", "FILE", "--model", TINY, "--top", "0"], "--top: must be"),
    (["predict", "FILE", "--model", TINY, "--top=-1"], "--top: must be"),
    (["predict", "FILE", "--model", "EMPTY"], "The zoo has no model named"),
    (["predict", "FILE", "--model", "x.keras"], ".keras file that exists"),
    (["predict", "FILE", "--model", f"{LONG}.keras"], "file that exists"),
    (["predict", "FILE", "--model", "FOLDER/e.keras"], "which is empty"),
    (["predict", "FILE", "--model", TINY, "--weights", "x"], "`weights` must"),
    (["list", "nothing*"], "No model matches 'nothing*'"),
    (["list", ODD], r"No model matches 'a\x1b[31mb\nc'"),
    (["list", ODD, ODD], "unrecognized arguments"),
    (["flops", "resnet"], "`name` must be of the form"),
    (["flops", TINY, "--family", ODD], "would change nothing"),
    (["flops", "c2d_tiny", "--family", ODD], "`family` must be one of"),
    (["flops", "c2d_tiny", "--frames", "0"], "--frames: must be a whole"),
    (["flops", "nl_c2d_tiny", "--frames=1", "--size=1"], "`inputs` of layer"),
    (["export", "x.keras", "y.onnx", "--to", "onnx"], "file that exists"),
    (["export", LONGER, "y.onnx", "--to", "onnx"], "no model named"),
    (["export", TINY, "y", "--to", "onnx"], "`OUT` must end in .onnx"),
    (["export", TINY, "y.onnx", "--to", ODD], "--to"),
    (["plot", "FOLDER"], "`run_dir` must be the folder of a run"),
    (["plot", "FILE"], "`run_dir` must be the folder of a run"),
    (["plot", ""], "`run_dir` must be the folder of a run"),
    (["plot", ODD], r"a\x1b[31mb\nc"),
    (["plot", LONGER], "too long"),
    (["plot", "FOLDER", "-o", "FOLDER/e.keras"], "`--output` must end in .png"),
    ([], "arguments are required"),
    ([ODD], "invalid choice"),
    (["--bogus"], "arguments are required"),
]


@pytest.fixture
def places(tmp_path, monkeypatch):
    """An empty zoo, and a folder of things that are not what is wanted."""
    monkeypatch.setenv("NONLOCAL_KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(terminal.DEBUG, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").write_bytes(b"no video, no zoo, no model")
    (tmp_path / "EMPTY").write_bytes(b"")
    (tmp_path / "FOLDER" / "f.keras").mkdir(parents=True)
    (tmp_path / "FOLDER" / "e.keras").write_bytes(b"")
    return tmp_path


def short(value):
    return ascii(" ".join(value) if isinstance(value, list) else value)[:60]


@pytest.mark.parametrize(("argv", "words"), CASES, ids=short)
def test_a_bad_call_is_one_sentence(capsys, places, argv, words):
    before = sorted(map(str, places.rglob("*")))
    status = main(argv)
    out, err = capsys.readouterr()
    assert status in (terminal.FAILED, terminal.USAGE), err
    lines = err.splitlines()
    # The last line is the sentence; a name of `verify` or a broken video has
    # a line of its own before it.
    assert 1 <= len(lines) <= 2 and lines[-1].startswith("nonlocal-keras")
    assert words in err and "Traceback" not in err
    assert all(map(str.isprintable, [*lines, *out.splitlines()]))
    assert len(err) < 2 * terminal.LONGEST
    assert sorted(map(str, places.rglob("*"))) == before


ARGUMENT = st.text(st.characters(codec=None, exclude_characters="\0"))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.sampled_from(["list", "info", "verify", "flops", "publish"]),
    ARGUMENT,
    st.none() | ARGUMENT,
)
def test_any_argument_is_taken_or_refused_in_words(
    capsys, places, command, argument, cache
):
    argv = [command, argument]
    if cache is not None and command != "flops":
        argv += ["--cache-dir", cache]
    capsys.readouterr()
    status = main(argv)
    out, err = capsys.readouterr()
    assert status in (0, terminal.FAILED, terminal.USAGE), err
    assert (out + err).replace("\n", "").isprintable()
    assert status == 0 or err.startswith("nonlocal-keras")


def test_a_cache_of_a_dead_link_is_empty(capsys, places):
    (places / "link").symlink_to("nowhere")
    assert main(["list", "--cache-dir", "link"]) == 0
    assert TINY in capsys.readouterr().out


def test_what_the_output_cannot_spell_is_escaped(places):
    code = (
        "from nonlocal_keras import terminal\n"
        "terminal.status_of(lambda: terminal.write('a\\u00b2'), 'x')"
    )
    # The file alone: this needs no TensorFlow.
    path = os.path.dirname(terminal.__file__)
    code = code.replace("from nonlocal_keras import", "import")
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": path, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
    )
    assert result.stdout == "a\\xb2\n" and not result.stderr


COMMAND = [sys.executable, "-m", "nonlocal_keras.cli"]
# A command that has begun and does not end.
ENDLESS = """
import sys, time
from nonlocal_keras.cli.main import main
from nonlocal_keras.cli import zoo
def wait(arguments):
    print("begun", flush=True)
    time.sleep(600)
zoo._list = wait
sys.exit(main(["list"]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="of Linux")
def test_outputs_that_end_or_are_full_and_an_interrupt(tmp_path):
    """Processes that start at once, since importing is what takes long."""

    def start(argv, **outputs):
        environment = {**os.environ, "NONLOCAL_KERAS_HOME": str(tmp_path)}
        outputs = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | (
            outputs
        )
        return subprocess.Popen(argv, env=environment, **outputs)

    with open("/dev/full", "w") as full:
        head = start([*COMMAND, "list"])
        full_out = start([*COMMAND, "list"], stdout=full)
        full_err = start([*COMMAND, "info", "x"], stderr=full)
        closed = start(["sh", "-c", f"{shlex.join(COMMAND)} list >&-"])
        endless = start([sys.executable, "-c", ENDLESS])
    head.stdout.readline()
    head.stdout.close()
    assert endless.stdout.readline() == b"begun\n"
    endless.send_signal(signal.SIGINT)
    found = {}
    for name, process in {
        "head": head,
        "full_out": full_out,
        "full_err": full_err,
        "closed": closed,
        "endless": endless,
    }.items():
        err = process.stderr.read().decode() if process.stderr else ""
        said = [line for line in err.splitlines() if "nonlocal-keras" in line]
        found[name] = (process.wait(timeout=300), said)
        assert "Traceback" not in err and "Exception ignored" not in err
    # `head` may have all that there is before it closes its end.
    assert found["head"] in ((terminal.PIPE_CLOSED, []), (0, []))
    status, (said,) = found["full_out"]
    assert status == terminal.FAILED and "No space left on device" in said
    assert found["full_err"] == (terminal.FAILED, [])
    assert found["closed"][0] == 0
    assert found["endless"] == (
        terminal.INTERRUPTED,
        ["nonlocal-keras: interrupted"],
    )
