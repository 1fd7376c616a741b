"""What a source adds to its files is what the records of its files say.

Narrow files stand for the published ones: of the same names, and with the
same overrides.
"""

import dataclasses
import hashlib
import json
import pickle

import pytest

import zoo
from tests.support import detector_pairs as pairs
from tests.support import detectors
from tests.support import narrow_detectors
from tests.support import servers
from tests.support import zoo_files
from tests.support.marks import mostly_slow
from tests.zoo.test_detector_records import PUBLISHED
from zoo import conversion
from zoo.tasks import object_detection


def kinds_of_records():
    """One record of each kind that a source treats in its own way."""
    found = {}
    for record in PUBLISHED:
        architecture = narrow_detectors.architecture(record)
        key = json.dumps(
            [architecture, record.input, record.download["overrides"]]
        )
        found.setdefault((record.download["converter"], key), record)
    return list(found.values())


KINDS = kinds_of_records()
SOURCES = [record.download["converter"] for record in KINDS]


@mostly_slow(
    pytest.mark.parametrize(
        "record", [pytest.param(record, id=record.name) for record in KINDS]
    ),
    *(SOURCES.index(source) for source in sorted(set(SOURCES))),
)
def test_a_record_says_what_its_source_adds(record, tmp_path):
    # Under another name, which tells nothing.
    file = tmp_path / "mine"
    file.write_bytes(narrow_detectors.file_bytes(record))
    narrow = dataclasses.replace(
        record, architecture=narrow_detectors.architecture(record)
    )
    model, report = conversion.convert(narrow, file)
    object_detection.equip(model, narrow)
    assert report.fresh == report.warnings == []
    assert len(report.with_status("used")) == len(
        narrow_detectors.tensors(record)
    )


WIDTHS = {
    "width_per_group": 8,
    "fpn_filters": 16,
    "box_units": 48,
    "mask_filters": [16] * 4,
}


@pytest.mark.slow
def test_a_file_of_detectron2_finds_what_it_found(tmp_path):
    """From a server, by the six digits of an MD5."""
    like = zoo.info("mask_rcnn_r50_fpn_coco.detectron2_3x")
    arrays = pairs.load("detectron2_maskrcnn_r50_drawn")
    data = pickle.dumps({"model": pairs.draw_tensors(arrays)})
    digits = hashlib.md5(data).hexdigest()[:6]
    settings = dict(pairs.SETTINGS)
    image = {key: settings.pop(key) for key in ("min_size", "max_size")}
    options = {**like.architecture["options"], **WIDTHS, **settings}
    with servers.serving() as server:
        path = f"/model_final_{digits}.pkl"
        server.files[path] = data
        fields = {
            **dataclasses.asdict(like),
            "name": "mask_rcnn_r50_fpn_test.detectron2",
            "labels": ["background", *"abcd"],
            "input": {**like.input, **image},
            "architecture": {**like.architecture, "options": options},
            "download": {
                **like.download,
                "url": server.url(path),
                "checksum": f"md5:{digits}",
                "overrides": pairs.SETTINGS,
            },
        }
        name = zoo_files.write(tmp_path, fields)
        with pytest.raises(
            ValueError, match="`accept_license` must be 'CC-BY-"
        ):
            zoo.load(name, cache_dir=tmp_path)
        words = {"cache_dir": tmp_path, "accept_license": like.license}
        with pytest.raises(ValueError, match="first 6 digits of the md5"):
            zoo.load(name, **words)
        model = zoo.load(name, **words, accept_unverified=True)
    found = detectors.eager(model).predict(pairs.images_of(arrays))
    pairs.check(found, arrays)
