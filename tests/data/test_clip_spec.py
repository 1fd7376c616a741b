"""One serial form of the clip that a model takes."""

import json
import pathlib

import pytest

import zoo
from nonlocal_keras import data

RECORDS = sorted((pathlib.Path(zoo.__file__).parent / "records").glob("*.json"))


def test_the_input_of_every_record_is_the_serial_form_and_the_channels():
    records = [(path, json.loads(path.read_text())) for path in RECORDS]
    videos = [
        (path, record["input"])
        for path, record in records
        if record.get("task", "video_classification") == "video_classification"
    ]
    assert videos
    for path, stated in videos:
        assert stated.pop("channels") == "RGB"
        config = data.ClipSpec.from_config(stated).to_config()
        assert json.dumps(config) == json.dumps(stated), path.name


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"stride": None, "mean": (0.5, 0.4, 0.3)},
        {"resize": (340, 256), "fps": 30},
    ],
)
def test_the_serial_form_is_json_and_makes_the_same_specification(fields):
    spec = data.ClipSpec(short_side=(256, 256), **fields)
    written = json.loads(json.dumps(spec.to_config()))
    assert written == spec.to_config()
    assert data.ClipSpec.from_config(written) == spec


def test_the_serial_form_is_that_of_the_test():
    config = data.ClipSpec(short_side=(256, 320)).to_config()
    assert config["short_side"] == 256
    # What is not set is not stated, nor what only training asks for.
    assert config.keys().isdisjoint({"flip", "resize", "fps"})


def test_a_larger_crop_needs_a_larger_frame():
    spec = data.ClipSpec(size=224, short_side=(256, 320))
    assert spec.with_size(256).short_side == (256, 320)
    assert spec.with_size(288).short_side == (288, 320)
    assert spec.with_size(360).short_side == (360, 360)
    assert spec.with_size(224) == spec
