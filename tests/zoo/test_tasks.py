"""Models of another task are records like any other, by one more module."""

import io

import numpy as np
import pytest

import zoo
from nonlocal_keras.cli.main import main
from tests.support import small
from tests.support import zoo_files
from tests.support.paths import ROOT
from zoo import artifacts
from zoo import checksums
from zoo import proof
from zoo import record as records
from zoo import tasks

NAME = "box_tiny_test.local"
PUBLISHED = "box_tiny_test.np"


def fields(**changes):
    return {
        **small.record(NAME),
        "task": "box",
        "input": {"size": 8},
        "views": {},
        "metrics": {"dataset": "pictures", "protocol": "-", "box_ap": 0.25},
        **changes,
    }


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty zoo of the user, and the task in the folder of all tasks."""
    monkeypatch.setenv("NONLOCAL_KERAS_HOME", str(tmp_path))
    folder = ROOT / "tests" / "support" / "zoo_tasks"
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(folder)])
    return tmp_path / "zoo"


def built():
    record = records.Record(version=1, **fields())
    return tasks.find("box").build(record)


def outputs(model):
    image = np.random.default_rng(1).normal(size=(2, 9, 7, 3))
    found = model.predict(image.astype("float32"), verbose=0)
    return np.concatenate([found["boxes"], found["scores"]], axis=1)


def add_published(home):
    """A record with a file that lies here already; gives its model."""
    model, file = built(), io.BytesIO()
    np.savez(file, *model.get_weights())
    record = zoo_files.record("https://example.org/box.npz", name=PUBLISHED)
    record["download"] |= {"converter": "none", "checksum": None}
    changes = {"name": PUBLISHED, "architecture": {}, "version": 1}
    zoo_files.write(home, fields(download=record["download"], **changes))
    path = home / "downloads" / PUBLISHED / "box.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(file.getvalue())
    return model


def test_a_task_is_a_module_of_the_folder():
    names = ["box", "object_detection", "video_classification"]
    assert tasks.names() == names
    assert tasks.find("box").__name__ == "zoo.tasks.box"


def test_a_model_of_another_task_registers_and_loads():
    model = built()
    record = zoo.register(model, fields())
    loaded = zoo.load(NAME)
    assert loaded.labels == record.labels and loaded.size == 8
    np.testing.assert_allclose(outputs(loaded), outputs(model), atol=1e-6)
    folder = zoo.path(NAME)
    assert (folder / artifacts.SAVED_MODEL).is_file()
    assert checksums.find_damage(folder) is None


def test_a_published_file_of_another_task_is_converted(home):
    model = add_published(home)
    loaded = zoo.load(PUBLISHED, offline=True)
    np.testing.assert_allclose(outputs(loaded), outputs(model), atol=1e-6)
    fresh = zoo.load(PUBLISHED, weights=False)
    assert np.abs(outputs(fresh) - outputs(model)).max() > 0.01
    features = zoo.load(PUBLISHED, include_top=False)
    assert features.name == "features"


def test_every_output_is_proven(home, tmp_path):
    record = records.Record(version=1, **fields())
    model, other = built(), built()
    for layer in ("boxes", "scores"):
        other.set_weights(model.get_weights())
        kernel = other.get_layer(layer).kernel
        kernel.assign(kernel + 0.1)
        other.save(tmp_path / "model.keras")
        with pytest.raises(RuntimeError, match=f"the {layer} differ by"):
            proof.prove(model, record, tmp_path / "model.keras", tmp_path / "x")


def test_card_and_commands_tell_of_another_task(capsys):
    zoo.register(built(), fields())
    card = zoo.card(NAME)
    assert "| picture | 8 x 8 pixels |" in card
    assert "AP 0.25 on pictures." in card
    for command in (["list", "box*"], ["info", NAME], ["verify", NAME]):
        assert main(command) == 0
    out = capsys.readouterr().out
    assert f"{NAME}  AP 0.25     8 px      Apache-2.0    here" in out
    assert "task: box" in out
    assert f"{NAME}: every file is as it was written" in out


def test_commands_on_videos_refuse_another_task(capsys):
    zoo.register(built(), fields())
    for command in (
        ["predict", "clip.mp4", "--model", NAME],
        ["export", NAME, "out.onnx", "--to", "onnx"],
        ["flops", NAME],
    ):
        assert main(command) == 1
        err = capsys.readouterr().err
        assert "must be of the task 'video_classification'" in err
        assert f"{NAME}, which is of 'box'" in err


def test_a_rule_of_the_task_is_kept():
    with pytest.raises(ValueError, match="`input` of a zoo record .*a size"):
        zoo.register(built(), fields(input={"size": 0}))


def test_a_task_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="`task` .* one of .*'video_class"):
        zoo.register(built(), fields(task="../box"))


def test_a_record_without_a_task_is_of_videos(home):
    record = {**small.record(), "version": 1}
    zoo_files.write(home, record)
    assert zoo.info(record["name"]).task == "video_classification"


@pytest.mark.parametrize(
    ("key", "names"), [("rule", "vnl"), ("average", "log")]
)
def test_a_name_of_views_that_there_is_not_is_refused_with_a_model(key, names):
    views = {**small.record()["views"], key: "nothing"}
    record = {**small.record(), "views": views}
    with pytest.raises(ValueError, match=f"`views` .* of an? {key} .*{names}"):
        zoo.register(small.classifier(), record)
