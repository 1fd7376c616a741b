"""A record that is damaged or foreign is named, and hides no other one."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

import zoo
from nonlocal_keras.cli.main import main
from tests.support import small
from tests.support import zoo_files
from zoo import record as records

NAME = small.record()["name"]
SHIPPED = "nl_c2d_tiny_longrange"


def fields(**changes):
    record = {**small.record(), "version": 1, "labels": list(small.LABELS)}
    return {**record, **changes}


def changed(field, **changes):
    return {field: {**fields()[field], **changes}}


# What lies at records/NAME.json, and words of the error.
CONTENTS = {
    "nothing": (b"", "Expecting value"),
    "no json": (b"{", "Expecting property name"),
    "a list": (b'["a"]', "no JSON object"),
    "a number": (b"5", "no JSON object"),
    "no text": (b"\xff\xfe{}", "codec can't decode"),
    "deep": (100_000 * b"[", "nested too deeply"),
    "long number": (b'{"version": ' + 5000 * b"9" + b"}", "Exceeds the limit"),
    "huge": (records.MAX_BYTES * b" " + b"{}", "larger than"),
    "no fields": (b"{}", "it lacks labels, name"),
}
FIELDS = {
    "another name": ({"name": "other"}, "its `name` is 'other'"),
    "name of another type": ({"name": 5}, "`name` of a zoo record"),
    "unknown field": ({"colour": 1}, "unexpected keyword argument 'colour'"),
    "labels of numbers": ({"labels": [1, 2]}, "`labels` .* a list of names"),
    "an empty label": ({"labels": ["a", ""]}, "`labels` .* a list of names"),
    "labels of another type": ({"labels": 5}, "`labels` must be a list"),
    "unknown labels": ({"labels": "../x"}, "`labels` must be a list, or one"),
    "text as version": ({"version": "1"}, "`version` .* of type int"),
    "truth as version": ({"version": True}, "`version` .* of type int"),
    "lines in the license": ({"license": "a\nb"}, "`license` .* one line"),
    "escapes in the source": ({"source": "\x1b[2J"}, "`source` .* one line"),
    "text as frames": (changed("input", frames="8"), "`input` .* positive"),
    "no frames": (changed("input", frames=0), "`input` .* positive"),
    "two means": (changed("input", mean=[0, 0]), "`input` .* `mean`"),
    "text as std": (changed("input", std="abc"), "`input` .* `std`"),
    "zero as std": (changed("input", std=[0, 0, 0]), "positive `std`"),
    "no input": ({"input": {}}, "`input` .* a dictionary of"),
    "text as crops": (changed("views", crops="3"), "`views` .* positive"),
    "two windows": (changed("views", window=[1, 2]), "`views` .* `window`"),
    "text as measure": (changed("metrics", top1="0.5"), "`metrics` .* numbers"),
    "half of a download": ({"download": {}}, "`download` .* together"),
}


def add(root, name, data):
    folder = root / "records"
    folder.mkdir(parents=True, exist_ok=True)
    if not isinstance(data, bytes):
        data = json.dumps(data).encode()
    (folder / f"{name}.json").write_bytes(data)


@pytest.mark.parametrize(("data", "words"), CONTENTS.values(), ids=CONTENTS)
def test_a_file_that_is_no_record_is_named(tmp_path, data, words):
    add(tmp_path, NAME, data)
    with pytest.raises(ValueError, match=f"{NAME}.json is not.*{words}"):
        zoo.info(NAME, tmp_path)


@pytest.mark.parametrize(("changes", "words"), FIELDS.values(), ids=FIELDS)
def test_a_field_of_another_kind_is_named(tmp_path, changes, words):
    add(tmp_path, NAME, fields(**changes))
    with pytest.raises(ValueError, match=f"{NAME}.json is not.*{words}"):
        zoo.info(NAME, tmp_path)


def test_the_record_that_is_changed_here_is_right(tmp_path):
    add(tmp_path, NAME, fields())
    assert zoo.info(NAME, tmp_path).labels == small.LABELS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda value: st.lists(value) | st.dictionaries(st.text(), value),
    max_leaves=6,
)


@given(field=st.sampled_from(sorted(fields())), value=JSON)
def test_any_value_of_a_field_is_taken_or_refused_in_words(
    tmp_path_factory, field, value
):
    root = tmp_path_factory.mktemp("zoo")
    add(root, NAME, fields(**{field: value}))
    try:
        zoo.info(NAME, root)
    except ValueError as error:
        assert f"{NAME}.json is not a zoo record" in str(error)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "resnet"},
        {"family": "x"},
        {"options": {"input_shape": 5}},
        {"options": {"stage_blocks": ["a"]}},
        {"options": {"family": "tiny"}},
        {"head": {"dropout": "much"}},
        {"head": {"num_classes": 5}},
    ],
    ids=str,
)
def test_an_architecture_that_is_none_names_the_record(tmp_path, changes):
    record = zoo_files.record("https://example.org/x.params")
    record["architecture"].update(changes)
    zoo_files.write(tmp_path, record)
    with pytest.raises(ValueError, match="`architecture` of the record 'nl_i3"):
        zoo.load(zoo_files.NAME, weights=False, cache_dir=tmp_path)


@pytest.fixture
def mixed(tmp_path):
    """Records of all bad kinds beside a good one."""
    for number, (data, _) in enumerate(CONTENTS.values()):
        add(tmp_path, f"bad_{number}", data)
    (tmp_path / "records" / "folder.json").mkdir()
    os.mkfifo(tmp_path / "records" / "pipe.json")
    (tmp_path / "records" / "gone.json").symlink_to("nowhere")
    (tmp_path / "records" / "notes.txt").write_text("mine")
    (tmp_path / "records" / os.fsdecode(b"\x1b\xff\n.json")).write_bytes(b"")
    (tmp_path / "records" / "a².json").write_bytes(b"")
    add(tmp_path, NAME, fields())
    return tmp_path


def test_list_shows_the_others_and_names_the_bad_ones(capsys, mixed):
    status = main(["list", "--cache-dir", str(mixed)])
    out, err = capsys.readouterr()
    assert status == 1
    rows = [line.split()[0] for line in out.splitlines()]
    assert NAME in rows and SHIPPED in rows
    bad = len(CONTENTS) + 5
    lines = err.splitlines()
    assert len(lines) == bad + 1 and "\x1b" not in err
    assert all(".json is not a zoo record: " in line for line in lines[:-1])
    assert f"{bad} of {bad + len(rows)} records cannot be read" in lines[-1]


def test_info_of_a_bad_record_says_what_is_wrong(capsys, mixed):
    for name in ("folder", "pipe", "bad_2"):
        status = main(["info", name, "--cache-dir", str(mixed)])
        assert status == 1
        assert f"{name}.json is not a zoo record" in capsys.readouterr().err


def test_a_bad_tag_leaves_the_others_of_its_name(tmp_path, caplog):
    add(tmp_path, "nl_c2d_tiny_test.bad", b"{")
    add(tmp_path, NAME, fields())
    with caplog.at_level("WARNING"):
        assert zoo.info("nl_c2d_tiny_test", tmp_path).name == NAME
    assert "nl_c2d_tiny_test.bad.json is not a zoo record" in caplog.text


@pytest.mark.parametrize(
    "name",
    ["x" * 300, "x" * 5000, "a\0b", "a\nb", "../x", "/etc/passwd", "", "."],
    ids=lambda name: ascii(name[:12]),
)
def test_a_name_of_any_letters_is_an_unknown_name(capsys, name):
    status = main(["info", name])
    err = capsys.readouterr().err
    assert status == 1 and err.count("\n") == 1
    assert "The zoo has no model named" in err or "zoo.list_models" in err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "`cache_dir` must be the path of a folder"),
        ("a\0b", "`cache_dir` must be the path of a folder"),
        ("~nosuchuser/x", "`cache_dir` must be the path.* home directory"),
        (f"/{'x' * 300}", "`cache_dir` must be a folder.*File name too long"),
        (__file__, "`cache_dir` must be a folder.*Not a directory"),
        (f"{__file__}/deeper", "`cache_dir` must be a folder.*Not a dir"),
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_a_cache_that_is_no_folder_is_said(text, words):
    with pytest.raises(ValueError, match=words):
        zoo.list_models(cache_dir=text)


def test_a_home_that_is_nobodys_is_said(monkeypatch):
    monkeypatch.setenv("NONLOCAL_KERAS_HOME", "~nosuchuser")
    with pytest.raises(ValueError, match="`NONLOCAL_KERAS_HOME` must be the p"):
        zoo.list_models()
