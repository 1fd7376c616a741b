"""A library that is missing or broken is told with its install line."""

import sys

import pytest

from nonlocal_keras import export
from nonlocal_keras import optional
from tests.support import paths
from tests.support import small

SETUP = paths.ROOT / "setup.cfg"


def broken(tmp_path, monkeypatch, name, source):
    """Puts a module in front of the one that is installed."""
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, name, raising=False)


def test_a_library_that_is_there_is_given():
    import tf2onnx

    assert optional.load("tf2onnx", "`x`") is tf2onnx


def test_a_library_that_is_not_there_is_told_with_its_install_line(monkeypatch):
    # What Python does for a module that nobody installed.
    monkeypatch.setitem(optional.INSTALL, "nobody_has", "pip install it")
    with pytest.raises(
        ImportError, match="^`x` needs nobody_has.*not installed: pip install"
    ):
        optional.load("nobody_has", "`x`")


@pytest.mark.parametrize(
    "source",
    [
        "raise AttributeError(\"module 'ml_dtypes' has no attribute 'f4'\")",
        "import a_part_that_is_missing",
        "raise ImportError('libstdc++.so.6 is too old')",
    ],
)
def test_a_library_that_does_not_fit_is_told_with_what_it_raised(
    tmp_path, monkeypatch, source
):
    broken(tmp_path, monkeypatch, "onnx", source)
    with pytest.raises(ImportError) as error:
        export.to_onnx(small.classifier(), tmp_path / "m.onnx")
    words = str(error.value)
    assert words.startswith("`to_onnx` needs onnx, which is installed and")
    assert "pip install 'nonlocal-keras[onnx]'" in words
    assert any(x in words for x in ("'f4'", "a_part_that", "libstdc++"))


@pytest.mark.parametrize(
    "name", ["to_serving", "to_saved_model", "to_litert", "to_onnx"]
)
def test_exports_without_tensorflow_tell_its_install_line(
    tmp_path, monkeypatch, name
):
    model = small.classifier()
    labels = [small.LABELS] if name == "to_saved_model" else []
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(
        ImportError, match=rf"`{name}` needs tensorflow.*pip install 'tensorfl"
    ):
        getattr(export, name)(model, tmp_path / "out", *labels)
    assert not list(tmp_path.iterdir())


def test_the_install_lines_ask_for_what_the_package_asks_for():
    setup = SETUP.read_text()
    versions = optional.INSTALL["tensorflow"].split("'")[1]
    assert versions in setup
    for module in ("tf2onnx", "onnxruntime", "matplotlib", "PIL"):
        extra = optional.INSTALL[module].split("[")[1].split("]")[0]
        assert f"{extra} =\n" in setup
    # It cannot be imported beside the ml_dtypes of TensorFlow 2.16.
    assert "onnx!=1.19.0" in setup
