"""Every record of the package keeps the rules and tells the truth."""

import functools
import json
import re
import types

import pytest

import zoo
from nonlocal_keras import data
from nonlocal_keras.convert import name_maps
from nonlocal_keras.layers import initialization
from tests.support import shipped
from tests.support import zoo_files
from tests.support.marks import mostly_slow
from zoo import checksums
from zoo import hosts
from zoo import record as records
from zoo import registry
from zoo import tasks
from zoo.tasks import object_detection

FILES = sorted((registry.PACKAGE_ROOT / "records").glob("*.json"))
RECORDS = [records.read_record(file) for file in FILES]
PUBLISHED = [r for r in RECORDS if r.download is not None]
SHIPPED = [r for r in RECORDS if r.download is None]
# What each model may add to an installation.
MOST_BYTES = 12e6
VIDEOS = [r for r in PUBLISHED if r.task == "video_classification"]


def by_name(group):
    return [pytest.param(record, id=record.name) for record in group]


def one_of_each_project():
    """Places among `PUBLISHED`; full-size models take seconds each."""
    projects = [record.download["converter"] for record in PUBLISHED]
    return [projects.index(project) for project in sorted(set(projects))]


@functools.cache
def built(task, text):
    """What is told of an architecture, which many records share."""
    record = types.SimpleNamespace(task=task, **json.loads(text))
    with initialization.no_random_weights():
        model = tasks.find(task).build(record)
    return shipped.tell(model, record)


@mostly_slow(
    pytest.mark.parametrize("record", by_name(PUBLISHED)),
    *one_of_each_project(),
)
def test_the_cost_is_that_of_the_architecture(record):
    fields = ("architecture", "labels", "input")
    text = json.dumps({field: getattr(record, field) for field in fields})
    for name, expected in built(record.task, text).items():
        assert getattr(record, name) == expected, name


@pytest.mark.parametrize("record", by_name(PUBLISHED))
def test_a_published_record_is_consistent(record):
    download = record.download
    assert download["converter"] in name_maps.SOURCES
    assert download["converter"] != "imagenet"
    assert len(record.input["mean"]) == len(record.input["std"]) == 3
    assert record.input["channels"] == "RGB"
    tag = record.name.partition(".")[2]
    assert tag and download["converter"] in tag
    if download["checksum"] and not checksums.is_whole(download["checksum"]):
        # The digits end the name of the file.
        digits = download["checksum"].partition(":")[2]
        assert re.search(rf"[-_]{digits}\.(pth|zip|pkl)$", record.file_name)
    if download["converter"] == "gluoncv":
        digits = download["checksum"].removeprefix("sha1:")
        assert f"-{digits[:8]}." in record.file_name


@pytest.mark.parametrize("record", by_name(VIDEOS))
def test_sizes_of_a_clip_are_consistent(record):
    clip, views = record.input, record.views
    assert clip["size"] <= clip["short_side"] >= views["size"]
    assert 0.2 < clip["std"][0] < clip["mean"][0] < 0.5


@pytest.mark.parametrize("record", by_name(RECORDS))
def test_labels_are_many_and_differ(record):
    named = [n for n in record.labels if n != object_detection.GAP]
    assert len(set(named)) == len(named)
    assert all(label == label.strip() for label in record.labels)


def test_no_two_records_are_of_the_same_file():
    urls = [url for record in PUBLISHED for url in record.addresses]
    assert len(set(urls)) == len(urls)


def test_mirrors_are_of_the_same_file():
    for record in PUBLISHED:
        names = {url.rpartition("/")[2] for url in record.addresses}
        # The same name everywhere, or the folder tells the files apart.
        assert names == {record.file_name}, record.name


def test_a_lost_host_is_nobodys_only_address():
    for record in PUBLISHED:
        assert not all(map(hosts.is_lost, record.addresses)), record.name


def test_something_is_known_of_every_host():
    used = {host for record in PUBLISHED for host in record.hosts}
    assert used == set(hosts.known())
    for host, found in hosts.known().items():
        assert set(found) == {"state", "since", "note", "source"}, host
        assert found["state"] in hosts.STATES
        assert found["source"].startswith("https://")


def test_openmmlab_is_known_to_be_lost():
    openmmlab = [r for r in VIDEOS if hosts.is_lost(r.download["url"])]
    assert len(openmmlab) == 30
    assert all("openmmlab" in r.download["url"] for r in openmmlab)
    # mmaction2 linked 13 of its files to one bucket, three to another.
    assert sum(len(r.mirrors) for r in openmmlab) == 16


@pytest.mark.parametrize("record", by_name(VIDEOS))
def test_the_views_are_those_of_the_project(record):
    tag, rule = record.name.partition(".")[2], record.views["rule"]
    dense = "dense" in tag or tag == "tsm"
    assert rule.endswith("_dense") == dense
    if record.name.endswith("kinetics.lfb"):
        assert rule == "vnl"  # Its project tests on other data alone.
    else:
        assert rule.partition("_")[0] in tag
    assert record.input.get("fps") == (
        30 if rule in ("pyslowfast", "pytorchvideo") else None
    )
    stretched = rule.startswith("gluoncv") or tag.endswith("_340x256")
    assert (record.input.get("resize") == [340, 256]) == stretched
    # And they can be taken.
    spec = data.ClipSpec.from_config(
        {k: v for k, v in record.input.items() if k != "channels"}
    )
    clips = record.views["clips"]
    indices = data.view_indices(
        rule, clips, spec.frames, spec.stride, 300, spec.fps, spec.fps
    )
    assert indices.shape == (clips, spec.frames)


def test_the_tests_that_were_published_are_told_apart():
    views = zoo.info("i3d_r50_sthsthv2.gluoncv").views
    assert (views["clips"], views["crops"]) == (2, 3)
    for name, top1, top5 in (
        ("nl_slowonly_r50_kinetics.mmaction2_4x16", 0.7507, 0.9169),
        ("nl_slowonly_r50_kinetics.mmaction2_8x8", 0.7665, 0.9247),
    ):
        metrics = zoo.info(name).metrics
        assert (metrics["top1"], metrics["top5"]) == (top1, top5)
    # A better number does not change what a name means.
    name = zoo.info("nl_slowonly_r50_kinetics").name
    assert name == "nl_slowonly_r50_kinetics.mmaction2_v0_8x8"


@pytest.mark.parametrize(
    ("name", "digits", "top1"),
    [
        ("i3d_r50_hmdb51", "0d0ad559", 0.485),
        ("i3d_r50_ucf101", "7afc7286", 0.839),
    ],
)
def test_weights_from_imagenet_alone_are_there_and_not_the_first(
    name, digits, top1
):
    record = zoo.info(f"{name}.gluoncv_imagenet")
    assert record.download["checksum"] == f"sha1:{digits}"
    assert record.metrics["top1"] == top1 and record.order == 2
    assert zoo.info(name).name == f"{name}.gluoncv"


def test_the_stricter_of_two_licenses_is_asked_for():
    lfb = [r for r in PUBLISHED if r.download["converter"] == "lfb"]
    assert len(lfb) == 6
    for record in lfb:
        assert record.license == "CC-BY-SA-3.0"
        assert "Apache-2.0" in record.note and "DATASET.md" in record.note


def test_the_tags_of_a_name_are_in_an_order():
    orders = {}
    for record in RECORDS:
        orders.setdefault(record.plain_name, []).append(record.order)
    for name, found in orders.items():
        assert sorted(found) == list(range(1, len(found) + 1)), name


def test_a_name_is_the_first_of_its_tags():
    assert zoo.info("nl_i3d_r101_kinetics").source.startswith(
        "GluonCV i3d_nl5_resnet101_v1_kinetics400"
    )
    for record in RECORDS:
        if record.order == 1:
            assert zoo.info(record.plain_name).name == record.name


def test_weights_of_the_authors_are_not_for_commerce():
    for record in PUBLISHED:
        restricted = record.download["converter"] == "vnl"
        assert (record.license == "CC-BY-NC-4.0") == restricted


def test_a_list_of_labels_is_used_and_has_no_empty_line():
    used = {json.loads(f.read_text())["labels"] for f in FILES if "." in f.stem}
    lists = sorted(records.LABELS.glob("*.txt"))
    assert used == {path.stem for path in lists}
    for path in lists:
        assert not re.search(r"\n\n|\A\n|[^\n]\Z|\t", path.read_text())


@pytest.mark.parametrize("record", by_name(SHIPPED))
def test_a_shipped_model_is_whole(record):
    model = shipped.assert_whole(record)
    if record.task == "video_classification":
        clip = record.input
        shape = (clip["frames"], clip["size"], clip["size"], 3)
        assert model.input_shape[1:] == shape
        assert model.output_shape == (None, len(record.labels))


def test_what_ships_is_small():
    for record in SHIPPED:
        files = zoo.path(record.name).rglob("*")
        size = sum(file.stat().st_size for file in files if file.is_file())
        assert size < MOST_BYTES, record.name


URL = "https://example.org/small.params"


def made(tmp_path, **changes):
    name = zoo_files.write(tmp_path, zoo_files.record(URL, **changes))
    return records.read_record(tmp_path / "records" / f"{name}.json")


def test_a_record_survives_writing_and_reading(tmp_path):
    record = made(tmp_path)
    again = tmp_path / f"{record.name}.json"
    records.write_record(record, again)
    assert records.read_record(again) == record


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "NL-I3D"}, "`name` of a zoo record must be lower case"),
        ({"version": 0}, "`version` of a zoo record must be at least 1"),
        ({"license": ""}, "`license` of a zoo record must be not empty"),
        ({"input": {"frames": 8}}, "`input` of a zoo record must be a dict"),
        ({"views": {"clips": 1}}, "`views` of a zoo record must be a dict"),
        ({"metrics": {"top1": 0.5}}, "`metrics` .* with .*'protocol'"),
        (
            {"metrics": {"dataset": "x", "protocol": "y", "top1": 75.0}},
            "`metrics` of a zoo record must be from 0 to 1",
        ),
        ({"download": None}, "`download` .* together with `architecture`"),
        ({"architecture": {}}, "`architecture` of a zoo record must be a dict"),
        ({"mirrors": ["http://example.org/x"]}, "`download` .* https://"),
        ({"mirrors": ["https://example.org/"]}, "`download` .* of files"),
        ({"checksum": "md5:00"}, "`download` .* of a checksum such as"),
        ({"labels": []}, "`labels` of a zoo record must be not empty"),
        ({"surprise": 1}, "unexpected keyword argument 'surprise'"),
    ],
)
def test_a_record_that_breaks_a_rule_is_named(tmp_path, changes, words):
    with pytest.raises(ValueError, match=rf"\.json is not a .*{words}"):
        made(tmp_path, **changes)


def test_a_list_of_labels_that_is_unknown_is_named():
    with pytest.raises(ValueError, match="`labels` must be a list, or one of"):
        records.read_labels("../record")


def test_a_record_under_another_name_is_refused(tmp_path):
    file = tmp_path / "other.json"
    records.write_record(made(tmp_path), file)
    with pytest.raises(ValueError, match="other.json is not a zoo record: its"):
        records.read_record(file)
