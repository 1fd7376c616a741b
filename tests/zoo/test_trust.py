"""What vouches for a published file, and what is said where nothing does."""

import hashlib

import pytest

import zoo
from nonlocal_keras.cli.main import main
from tests.support import servers
from tests.support import zoo_files
from zoo import fetch
from zoo import hosts
from zoo import record as records
from zoo import trust

NAME = zoo_files.NAME
DATA = b"the published file"
SHA256 = hashlib.sha256(DATA).hexdigest()
PREFIX = f"sha256:{SHA256[:8]}"
URL = "https://example.org/small-0123abcd.params"
MIRROR = "https://example.com/small-0123abcd.params"
OTHER = "https://example.net/small-0123abcd.params"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NONLOCAL_KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("NONLOCAL_KERAS_OFFLINE", raising=False)
    monkeypatch.setattr(fetch, "FIRST_PAUSE", 0.001)
    return tmp_path / "zoo"


def made(home, checksum, url=URL, unverified=(), **changes):
    fields = zoo_files.record(url, checksum=checksum, **changes)
    fields["download"]["unverified_mirrors"] = list(unverified)
    name = zoo_files.write(home, fields)
    return records.read_record(home / "records" / f"{name}.json")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.params"
    path.write_bytes(DATA)
    return path


def test_a_prefix_alone_is_refused_and_says_what_to_type(home):
    made(home, PREFIX)
    with pytest.raises(trust.Unavailable) as error:
        zoo.load(NAME)
    for words in (
        "`accept_unverified` must be True, or `sha256` must be given",
        f"only the first 8 digits of the sha256 of its file are published "
        f"({SHA256[:8]})",
        f"zoo.load('{NAME}', accept_unverified=True)",
        f"zoo.load('{NAME}', sha256='...')",
        "--accept-unverified and --sha256",
        "the host example.org is not known. Type",
        "Received: accept_unverified=False, sha256=None.",
    ):
        assert words in str(error.value)
    assert not (home / "downloads").exists()


@pytest.mark.usefixtures("twin_alone")
def test_commands_take_the_flags_that_the_error_names(home, capsys, file):
    made(home, PREFIX)
    assert main(["download", NAME, "--offline"]) == 1
    assert "--accept-unverified" in capsys.readouterr().err
    for flags in (["--accept-unverified"], ["--sha256", SHA256]):
        assert main(["download", NAME, "--offline", *flags]) == 1
        # The word is enough; now there is no network.
        assert "the network must not be used" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("checksum", "options", "needed"),
    [
        (f"sha256:{SHA256}", {}, False),
        (None, {}, False),
        (PREFIX, {}, True),
        ("sha1:01234567", {}, True),
        (PREFIX, {"accept_unverified": True}, False),
        (PREFIX, {"sha256": SHA256}, False),
    ],
)
def test_the_user_is_asked_where_a_prefix_is_all(
    home, checksum, options, needed
):
    asked = trust.Trust(made(home, checksum), **options)
    if needed:
        with pytest.raises(trust.Unavailable, match="`accept_unverified`"):
            asked.require()
    else:
        asked.require()


@pytest.mark.usefixtures("twin_alone")
def test_a_pin_vouches_for_a_prefix(home, tmp_path):
    pin = tmp_path / "pin"
    pin.write_text(f"{SHA256}  small.params\n")
    pinned = trust.Trust(made(home, PREFIX), pin)
    pinned.require()
    assert pinned.is_whole


@pytest.mark.usefixtures("twin_alone")
def test_mirrors_are_asked_where_something_vouches_for_the_file(home):
    def addresses(checksum, **options):
        record = made(home, checksum, mirrors=[MIRROR], unverified=[OTHER])
        return tuple(trust.Trust(record, **options).addresses())

    everywhere = (URL, MIRROR, OTHER)
    assert addresses(f"sha256:{SHA256}") == everywhere
    assert addresses(None) == (URL,)
    assert addresses(None, accept_unverified=True) == everywhere
    assert addresses(PREFIX, sha256=SHA256) == everywhere


@pytest.mark.usefixtures("twin_alone")
def test_a_lost_host_is_asked_last(home, monkeypatch):
    monkeypatch.setattr(hosts, "is_lost", lambda url: url == URL)
    record = made(home, f"sha256:{SHA256}", mirrors=[MIRROR])
    assert trust.Trust(record).addresses() == [MIRROR, URL]


@pytest.mark.usefixtures("twin_alone")
def test_the_sum_that_the_user_states_is_held_against_the_file(home, file):
    record = made(home, PREFIX)
    assert trust.Trust(record, sha256=SHA256.upper()).find_fault(file) is None
    other = SHA256[:8] + 56 * "0"
    fault = trust.Trust(record, sha256=other).find_fault(file)
    assert fault == f"its SHA-256 is {SHA256}, not `sha256`={other}"
    with pytest.raises(ValueError, match="mine.params: its SHA-256 is .*not c"):
        zoo.load(NAME, weights=file, sha256=other)


@pytest.mark.parametrize("digits", ["0123", 63 * "0", 64 * "g", ""])
def test_a_sum_of_other_digits_is_refused(home, digits):
    made(home, PREFIX)
    with pytest.raises(ValueError, match="`sha256` must be the 64 hexadecimal"):
        zoo.load(NAME, sha256=digits)


@pytest.mark.usefixtures("twin_alone")
def test_mirrors_of_a_file_without_a_checksum_take_a_word(home):
    with servers.serving() as server:
        server.files["/mirror/small-0123abcd.params"] = b"not a checkpoint"
        made(
            home,
            None,
            server.url("/gone/small-0123abcd.params"),
            mirrors=[server.url("/mirror/small-0123abcd.params")],
        )
        with pytest.raises(trust.Unavailable) as error:
            zoo.load(NAME)
        assert "Its mirrors were not asked" in str(error.value)
        assert len(server.requests) == 1
        with pytest.raises(ValueError, match="is no checkpoint"):
            zoo.load(NAME, accept_unverified=True)
        assert server.requests[-1][0] == "/mirror/small-0123abcd.params"


def test_the_way_by_hand_names_file_addresses_and_place(home):
    record = made(
        home,
        f"sha256:{SHA256}",
        "https://download.openmmlab.com/small-0123abcd.params",
        mirrors=[MIRROR],
        unverified=[OTHER],
    )
    with pytest.raises(trust.Unavailable) as error:
        zoo.load(NAME, offline=True)
    for words in (
        "The file is small-0123abcd.params",
        f"{record.download['url']} (lost since 2026-06-06)",
        f"{MIRROR} (not known)",
        f"{OTHER} (the same path elsewhere, nobody saw it there)",
        f"put it at {home}/downloads/{NAME}/small-0123abcd.params",
        f"zoo.load('{NAME}', weights='small-0123abcd.params')",
    ):
        assert words in str(error.value)


def test_a_name_without_its_tag_names_its_other_tags(home):
    made(home, PREFIX)
    made(home, f"sha256:{SHA256}", name="nl_i3d_r14_test.other", order=2)
    words = (
        f"The name 'nl_i3d_r14_test' means '{NAME}', and no other weights are "
        "taken in its place; ask for others by their whole name: "
        "nl_i3d_r14_test.other."
    )
    for options in ({}, {"accept_unverified": True}):
        with pytest.raises(trust.Unavailable) as error:
            zoo.load("nl_i3d_r14_test", offline=True, **options)
        assert words in str(error.value)
    with pytest.raises(trust.Unavailable) as error:
        zoo.load(NAME, offline=True)
    assert "no other weights" not in str(error.value)


def test_the_published_default_of_openmmlab_says_what_else_there_is(home):
    with pytest.raises(trust.Unavailable) as error:
        zoo.load("c2d_r50_kinetics")
    for words in (
        "the host download.openmmlab.com is lost since 2026-06-06: the domain",
        "c2d_r50_kinetics.pytorchvideo",
        "zoo.load('c2d_r50_kinetics.mmaction2_16x4', accept_unverified=True)",
    ):
        assert words in str(error.value)


def test_a_license_that_is_in_doubt_is_told_before_it_is_asked_for(home):
    with pytest.raises(ValueError) as error:
        zoo.load("nl_i3d_r50_charades", offline=True)
    for words in (
        "`accept_license` must be 'CC-BY-SA-3.0'",
        "name the authors, and share what you make of them alike",
        "The code of video-long-term-feature-banks is Apache-2.0",
    ):
        assert words in str(error.value)
