"""What an installation holds, with and without TensorFlow."""

import configparser
import subprocess
import sys

import pytest

import zoo
from tests.support.paths import ROOT

# An import of TensorFlow fails as it does where TensorFlow is not installed.
WITHOUT = """
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in ("tensorflow", "tensorboard"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
"""


SHIPPED = [
    name for name in zoo.list_models() if zoo.info(name).download is None
]


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A folder of what a wheel of this package holds, and nothing else."""
    folder = tmp_path_factory.mktemp("packages")
    build = "import setuptools; setuptools.setup()"
    flags = ("--quiet", "build_py", f"--build-lib={folder}")
    subprocess.run([sys.executable, "-c", build, *flags], cwd=ROOT, check=True)
    return folder


def run_without_tensorflow(code, folder, packages=ROOT):
    """Runs Python code on JAX, where TensorFlow cannot be imported."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + code],
        env={
            "KERAS_BACKEND": "jax",
            # Tiny arrays: compiling takes longer than computing.
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "NONLOCAL_KERAS_HOME": str(folder),
            "PYTHONPATH": str(packages),
        },
        cwd=folder,
        capture_output=True,
        text=True,
    )


def requirements(text):
    lines = [line.strip() for line in text.splitlines()]
    return {line for line in lines if line and not line.startswith("#")}


def test_the_list_without_tensorflow_is_that_of_the_package():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    whole = requirements(settings["options"]["install_requires"])
    of_tensorflow = {r for r in whole if r.startswith("tensor")}
    assert len(of_tensorflow) == 2
    listed = (ROOT / "requirements-without-tensorflow.txt").read_text()
    assert requirements(listed) == whole - of_tensorflow


# What a user does with a model of each task.
USES = {
    "video_classification": """
frames = rng.integers(0, 256, (12, 40, 50, 3), "uint8")
clip = model.preprocess(frames)
model.compile("sgd", "sparse_categorical_crossentropy")
model.fit(clip, np.zeros(1), verbose=0)
def predict(model):
    return {"probabilities": model.predict(clip, verbose=0)}
""",
    "object_detection": """
image = rng.integers(0, 256, (48, 64, 3), "uint8")
def predict(model):
    model.run_eagerly = True
    model.jit_compile = False
    found = model.predict([image])
    return {name: found[name] for name in ("boxes", "confidence")}
""",
}


def quick(name):
    """Whether JAX compiles it in seconds."""
    return zoo.info(name).task == "video_classification"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if quick(name) else pytest.mark.slow)
        for name in SHIPPED
    ],
)
def test_a_model_of_a_wheel_predicts_without_tensorflow(
    tmp_path, packages, name
):
    done = run_without_tensorflow(
        f"""
import keras, numpy as np, zoo, nonlocal_keras
for module in zoo, nonlocal_keras:
    assert module.__file__.startswith({str(packages)!r}), module
model = zoo.load({name!r})
assert len(model.labels) > 1
rng = np.random.default_rng(0)
{USES[zoo.info(name).task]}
found = predict(model)
model.save("mine.keras")
again = predict(keras.saving.load_model("mine.keras"))
for key, expected in found.items():
    np.testing.assert_allclose(again[key], expected, atol=1e-4)
assert "tensorflow" not in sys.modules
""",
        tmp_path,
        packages,
    )
    assert done.returncode == 0, done.stderr


def test_a_wheel_holds_every_file_of_what_ships(packages):
    for name in SHIPPED:
        folder = zoo.path(name)
        files = [p for p in folder.rglob("*") if p.is_file()]
        assert len(files) > 5
        for file in files:
            place = packages / file.relative_to(ROOT)
            assert place.read_bytes() == file.read_bytes()


def test_what_needs_tensorflow_names_the_line_that_installs_it(tmp_path):
    calls = (
        "nonlocal_keras.data.training_dataset(None, 0, 1, 1)",
        "nonlocal_keras.export.to_serving(None, 'out')",
        "nonlocal_keras.export.to_litert(None, 'out.tflite')",
        "nonlocal_keras.export.to_onnx(None, 'out.onnx')",
    )
    done = run_without_tensorflow(
        f"""
import nonlocal_keras, nonlocal_keras.data, nonlocal_keras.export
for call in {calls}:
    try:
        eval(call)
    except ImportError as error:
        print(error)
""",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(calls)
    for line in lines:
        assert "needs tensorflow, which is not installed" in line
        assert "pip install 'tensorflow>=2.16,<2.22'" in line
