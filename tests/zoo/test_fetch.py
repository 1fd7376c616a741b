"""Downloads from a server that stalls, cuts, lies and refuses."""

import numpy as np
import pytest

from tests.support import servers
from zoo import fetch

DATA = np.random.default_rng(0).bytes(8 << 16)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(fetch, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(fetch, "TIMEOUT", (2, 0.3))
    with servers.serving() as server:
        server.files["/x.bin"] = DATA
        yield server


def not_data(path):
    return None if path.read_bytes() == DATA else "it is not the file"


def get(server, tmp_path, *paths, **options):
    target = tmp_path / "deep" / "x.bin"
    urls = [server.url(path) for path in paths or ("/x.bin",)]
    fetch.fetch(urls, target, not_data, **options)
    assert target.read_bytes() == DATA
    assert [path.name for path in target.parent.iterdir()] == ["x.bin"]


def test_a_file_comes_whole_in_one_request(server, tmp_path):
    get(server, tmp_path)
    assert server.requests == [("/x.bin", None)]


@pytest.mark.parametrize("fault", ["cut", "stall", "long"])
def test_a_broken_transfer_goes_on_where_it_was(server, tmp_path, fault):
    server.faults["/x.bin"] = [fault]
    get(server, tmp_path)
    first, second = server.requests
    assert first == ("/x.bin", None)
    assert second[1] is not None and second[1] != "bytes=0-"


def test_resuming_sends_only_what_was_missing(server, tmp_path):
    server.faults["/x.bin"] = ["cut", "cut", "cut"]
    get(server, tmp_path)
    assert server.sent == len(DATA)
    assert len(server.requests) == 4


def test_a_file_that_changed_in_between_starts_again(server, tmp_path):
    server.faults["/x.bin"] = ["cut", "other"]
    server.files["/x.bin"] = DATA
    with pytest.raises(fetch.DownloadError, match="it is not the file"):
        get(server, tmp_path)
    # The second answer was the other file, from its first byte.
    get(server, tmp_path)


def test_a_server_without_ranges_sends_all_again(server, tmp_path):
    server.faults["/x.bin"] = ["cut", "no_ranges"]
    get(server, tmp_path)
    assert len(server.requests) == 2


def test_a_download_goes_on_in_a_later_call(server, tmp_path):
    server.faults["/x.bin"] = ["cut"] + fetch.ATTEMPTS * [503]
    with pytest.raises(fetch.DownloadError, match="answers 503"):
        get(server, tmp_path)
    server.faults["/x.bin"] = []
    server.requests.clear()
    get(server, tmp_path)
    assert server.requests[0][1].startswith("bytes=")


def test_an_understated_length_is_found_by_what_came(server, tmp_path):
    server.faults["/x.bin"] = ["short"]
    with pytest.raises(fetch.DownloadError, match="it is not the file"):
        get(server, tmp_path)


def test_an_overloaded_server_is_asked_again(server, tmp_path):
    server.faults["/x.bin"] = [503, 429, 500]
    get(server, tmp_path)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (404, "the server answers 404 Not Found"),
        (403, "the server answers 403"),
        ("html", "sends an HTML page, not the file"),
    ],
)
def test_a_refusal_is_final(server, tmp_path, fault, words):
    server.faults["/x.bin"] = [fault]
    with pytest.raises(fetch.DownloadError, match=words):
        get(server, tmp_path)
    assert len(server.requests) == 1
    assert not list((tmp_path / "deep").iterdir())


def test_a_server_that_never_recovers_is_given_up(server, tmp_path):
    server.faults["/x.bin"] = 100 * [503]
    with pytest.raises(fetch.DownloadError, match="503 Service Unavailable"):
        get(server, tmp_path)
    assert len(server.requests) == fetch.ATTEMPTS


def test_a_mirror_takes_over(server, tmp_path):
    server.files["/mirror/x.bin"] = DATA
    get(server, tmp_path, "/gone.bin", "/mirror/x.bin")


def test_every_address_is_named_when_none_has_the_file(server, tmp_path):
    with pytest.raises(fetch.DownloadError) as error:
        get(server, tmp_path, "/gone.bin", "/lost.bin")
    assert "/gone.bin: the server answers 404" in str(error.value)
    assert "/lost.bin: the server answers 404" in str(error.value)


def test_a_server_that_is_not_there_is_named(tmp_path, server):
    server.url = lambda path: f"http://127.0.0.1:9{path}"
    with pytest.raises(fetch.DownloadError, match="the server is unreachable"):
        get(server, tmp_path)


def test_a_wrong_file_is_fetched_once_and_leaves_nothing(server, tmp_path):
    server.files["/x.bin"] = b"something else"
    with pytest.raises(fetch.DownloadError, match="it is not the file"):
        get(server, tmp_path)
    assert len(server.requests) == 1
    assert not list((tmp_path / "deep").iterdir())


def test_a_rest_that_does_not_fit_is_fetched_anew(server, tmp_path):
    part = tmp_path / "deep" / "x.bin.part"
    part.parent.mkdir()
    part.write_bytes(b"?" * 1000)
    # With a checksum the rest is asked for even without a tag.
    get(server, tmp_path, has_checksum=True)
    assert [asked for _, asked in server.requests] == ["bytes=1000-", None]


def test_a_rest_without_a_tag_or_checksum_is_not_trusted(server, tmp_path):
    part = tmp_path / "deep" / "x.bin.part"
    part.parent.mkdir()
    part.write_bytes(DATA[:1000])
    get(server, tmp_path)
    assert server.requests == [("/x.bin", None)]


def test_a_part_that_is_whole_is_taken(server, tmp_path):
    part = tmp_path / "deep" / "x.bin.part"
    part.parent.mkdir()
    part.write_bytes(DATA)
    get(server, tmp_path, has_checksum=True)
    assert server.sent == 0


def test_a_huge_file_is_refused_before_it_comes(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "MAX_BYTES", 100_000)
    # Buffers of sockets would take the whole of it at once.
    server.pause = 0.05
    with pytest.raises(fetch.DownloadError, match="larger than 100000 bytes"):
        get(server, tmp_path)
    assert server.sent < len(DATA)


def test_a_folder_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "x.bin.part").mkdir()
    (tmp_path / "deep" / "x.bin.part" / "y").mkdir()
    with pytest.raises(fetch.DownloadError, match="cannot be written"):
        get(server, tmp_path)
