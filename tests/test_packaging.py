"""What an installation holds, with and without TensorFlow."""

import configparser
import subprocess
import sys

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


def run_without_tensorflow(code, folder):
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
            "PYTHONPATH": str(ROOT),
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


def test_a_zoo_model_loads_predicts_and_trains_without_tensorflow(tmp_path):
    done = run_without_tensorflow(
        """
import keras, numpy as np, zoo, nonlocal_keras
model = zoo.load("nl_c2d_tiny_longrange")
frames = np.random.default_rng(0).integers(0, 256, (12, 40, 50, 3), "uint8")
clip = model.preprocess(frames)
model.compile("sgd", "sparse_categorical_crossentropy")
model.fit(clip, np.zeros(1), verbose=0)
model.save("mine.keras")
again = keras.saving.load_model("mine.keras")
probabilities = model.predict(clip, verbose=0)
assert probabilities.shape == (1, 2)
np.testing.assert_allclose(
    again.predict(clip, verbose=0), probabilities, atol=1e-6
)
assert "tensorflow" not in sys.modules
""",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr


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
