"""Old names work, and say what they are called now."""

import json
import shutil

import pytest

import zoo
from nonlocal_keras.cli.main import main
from tests.support import small
from tests.support import zoo_files
from zoo import checksums
from zoo import licenses
from zoo import registration

NAME = zoo_files.NAME
RESTRICTED = "CC-BY-NC-4.0"
# Accepted, or the license would be asked for before the network is.
ACCEPTED = "is not in the cache, and the network must not be used"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A zoo with a record of a restricted license, and no file of it."""
    monkeypatch.setenv("NONLOCAL_KERAS_HOME", str(tmp_path))
    monkeypatch.delenv(licenses.ACCEPT_LICENSE, raising=False)
    fields = zoo_files.record("https://example.org/x.params")
    zoo_files.write(tmp_path / "zoo", {**fields, "license": RESTRICTED})
    return tmp_path / "zoo"


@pytest.mark.usefixtures("twin_alone")
@pytest.mark.parametrize("function", [zoo.load, zoo.download])
def test_the_old_argument_accepts_a_license(home, function):
    with pytest.warns(DeprecationWarning, match="is called `accept_license`"):
        with pytest.raises(ValueError, match=ACCEPTED):
            function(NAME, offline=True, accept_licence=RESTRICTED)


def test_both_arguments_are_refused(home):
    both = {"accept_licence": RESTRICTED, "accept_license": RESTRICTED}
    with pytest.raises(ValueError, match="is the old name of .* give one of"):
        zoo.load(NAME, offline=True, **both)


@pytest.mark.usefixtures("twin_alone")
def test_the_old_variable_accepts_a_license(home, monkeypatch):
    monkeypatch.setenv("NONLOCAL_KERAS_ACCEPT_LICENCE", RESTRICTED)
    with pytest.warns(DeprecationWarning, match="NONLOCAL_KERAS_ACCEPT_LICENS"):
        with pytest.raises(ValueError, match=ACCEPTED):
            zoo.load(NAME, offline=True)
    monkeypatch.setenv("NONLOCAL_KERAS_ACCEPT_LICENSE", "MIT")
    with pytest.raises(ValueError, match="Received: accept_license='MIT'"):
        zoo.load(NAME, offline=True)


@pytest.mark.usefixtures("twin_alone")
def test_the_old_flag_accepts_a_license(home, capsys):
    flags = ("--offline", "--accept-licence", RESTRICTED)
    assert main(["download", NAME, *flags]) == 1
    err = capsys.readouterr().err
    assert "`--accept-licence` is called `--accept-license` now" in err
    assert ACCEPTED in err


def test_the_old_command_ships(capsys, monkeypatch):
    record = zoo.info("nl_c2d_tiny_longrange")
    monkeypatch.setattr(registration, "ship", lambda *_: record)
    assert main(["publish", "x"]) == 0
    out, err = capsys.readouterr()
    assert "name: nl_c2d_tiny_longrange" in out
    assert "| `nl_c2d_tiny_longrange` | 4 x 4 | top-1 87.5% |" in out
    assert "`publish` is called `ship` now" in err


@pytest.mark.usefixtures("twin_alone")
def test_the_old_field_registers(home):
    fields = {**small.record(), "licence": "MIT"}
    del fields["license"]
    with pytest.warns(
        DeprecationWarning,
        match="`licence` in `record` is called `license` now",
    ):
        record = zoo.register(small.classifier(), fields)
    assert record.license == "MIT"
    with pytest.warns(DeprecationWarning, match="is called `Record.license`"):
        assert record.licence == "MIT"


def test_both_fields_are_refused(home):
    fields = {**small.record(), "licence": "MIT"}
    with pytest.warns(DeprecationWarning):
        with pytest.raises(TypeError, match="argument 'licence'"):
            zoo.register(small.classifier(), fields)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("zoo")
    with zoo_files.twin_alone():
        zoo.register(small.classifier(), small.record(), root)
    return root


def as_before(file):
    """Writes a record as the package did when it knew one task alone."""
    fields = json.loads(file.read_text())
    del fields["task"]
    names = {"license": "licence"}
    fields = {names.get(key, key): value for key, value in fields.items()}
    file.write_text(json.dumps(fields, indent=2) + "\n")


def test_a_cache_of_before_loads_and_is_not_rewritten(tmp_path, written):
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    name = small.record()["name"]
    listed = tmp_path / "records" / f"{name}.json"
    kept = tmp_path / "artifacts" / name / "1" / "record.json"
    for file in (listed, kept):
        as_before(file)
    checksums.write_sums(kept.parent)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.warns(
        DeprecationWarning, match=f"`licence` in .*{name}.json is called `li"
    ):
        model = zoo.load(name, cache_dir=tmp_path)
    assert model.labels == small.LABELS
    with pytest.warns(DeprecationWarning):
        assert main(["verify", name, "--cache-dir", str(tmp_path)]) == 0
    after = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert after == before
    # As the warning says; the record that lies with the model stays as it is.
    listed.write_text(listed.read_text().replace("licence", "license"))
    assert zoo.load(name, cache_dir=tmp_path).labels == small.LABELS


def test_the_shipped_artifact_is_of_before_and_says_nothing(recwarn):
    zoo.load("nl_c2d_tiny_longrange")
    assert not [w for w in recwarn if "is called" in str(w.message)]
