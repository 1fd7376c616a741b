"""The record of a trained model says what was trained and measured."""

import zoo
from nonlocal_keras import data
from nonlocal_keras.training import experiments
from nonlocal_keras.training.video import records
from nonlocal_keras.training.video import row

ROW = row.Row(
    model="nl_c2d_tiny",
    description="NL-C2D ResNet-14",
    parameters=380_414,
    macs=4_009_728,
    top1=0.875,
    interval=(0.86, 0.889),
    top5=1.0,
    videos=2000,
    skipped=0,
    protocol="1 x 1 views",
    seconds=1.0,
)


def make(**changes):
    experiment = experiments.get_experiment("longrange").override(changes)
    classes = ("same", "different")
    fields = records.make_record(experiment, ROW, classes, "python train.py")
    # It keeps the rules of records.
    return experiment, zoo.Record(version=1, **fields)


def test_it_is_named_after_the_model_and_the_data_set():
    _, record = make()
    assert record.name == "nl_c2d_tiny_longrange.local"
    assert record.metrics["command"] == "python train.py"


def test_its_input_is_the_clip_that_was_trained():
    for changes in ({}, {"fps": 25, "resize": (48, 36)}):
        experiment, record = make(short_side=(36, 48), **changes)
        stated = dict(record.input)
        assert stated.pop("channels") == "RGB"
        # The shorter side is that of the test.
        expected = experiment.override({"short_side": (36, 36)}).clip_spec
        assert data.ClipSpec.from_config(stated) == expected
        assert ("fps" in stated, "resize" in stated) == 2 * (bool(changes),)


def test_its_views_are_those_of_the_test():
    _, record = make(test_clips=10, test_crops=3)
    assert record.views == {
        "clips": 10,
        "crops": 3,
        "size": 32,
        "window": None,
        "average": "probabilities",
    }
