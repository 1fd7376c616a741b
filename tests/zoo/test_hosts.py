"""What is known of hosts, and what they answer."""

import pytest

import zoo
from nonlocal_keras.cli.main import main
from tests.support import servers
from tests.support import zoo_files
from zoo import hosts
from zoo import record as records
from zoo import registry

FILE = f"/a/{zoo_files.FILE}"
MIRROR = f"/b/{zoo_files.FILE}"
# Above two bytes for each of the parameters of the record.
DATA = b"x" * 4000


@pytest.fixture
def server():
    with servers.serving() as server:
        server.files = {FILE: DATA, MIRROR: DATA}
        yield server


@pytest.fixture
def record(server, tmp_path):
    fields = zoo_files.record(
        server.url(FILE), mirrors=[server.url(MIRROR)], parameters=1000
    )
    name = zoo_files.write(tmp_path, fields)
    return records.read_record(tmp_path / "records" / f"{name}.json")


def states(record):
    ((_, answers),) = hosts.ask([record])
    return [answer.state for answer in answers]


def test_addresses_are_asked_for_headers_alone(server, record):
    ((asked, answers),) = hosts.ask([record])
    assert asked is record
    assert [answer.state for answer in answers] == 2 * ["reachable"]
    assert [answer.text for answer in answers] == 2 * ["4,000 bytes"]
    assert server.methods == ["HEAD", "HEAD"] and not server.sent


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (404, "gone"),
        (410, "gone"),
        ("html", "gone"),
        (503, "no answer"),
        ("no_length", "reachable"),
    ],
)
def test_an_answer_without_the_file_is_told(server, record, fault, state):
    server.faults[FILE] = [fault]
    assert states(record) == [state, "reachable"]


def test_a_server_that_refuses_head_is_asked_for_one_byte(server, record):
    server.faults[FILE] = ["no_head"]
    assert states(record) == ["reachable", "reachable"]
    assert (FILE, "bytes=0-0") in server.requests and server.sent == 1


def test_a_file_that_is_too_small_for_its_weights_is_told(server, record):
    server.files[FILE] = b"a parked domain"
    ((_, answers),) = hosts.ask([record])
    assert [answer.state for answer in answers] == ["other size", "reachable"]
    assert "15 bytes; weights of 1,000 parameters take more" in answers[0].text


def test_a_mirror_of_another_size_is_told(server, record):
    server.files[MIRROR] = DATA + b"x"
    ((_, answers),) = hosts.ask([record])
    assert [answer.state for answer in answers] == ["reachable", "other size"]
    assert f"{server.url(FILE)} has 4,000 bytes" in answers[1].text


def test_a_server_that_says_nothing_is_given_up(server, record, monkeypatch):
    monkeypatch.setattr(hosts, "TIMEOUT", (1, 0.2))
    server.pause_before_headers = 1.0
    assert states(record) == 2 * ["no answer"]


def test_a_server_that_is_not_there_is_told(server, record):
    record.download["url"] = f"http://127.0.0.1:9{FILE}"
    ((_, answers),) = hosts.ask([record])
    assert (answers[0].state, answers[0].text) == (
        "no answer",
        "the server is unreachable",
    )


def run(capsys, tmp_path, *flags):
    flags = ("verify", "--hosts", "--cache-dir", str(tmp_path), *flags)
    status = main(list(flags))
    return status, *capsys.readouterr()


def test_verify_hosts_says_what_each_address_answers(
    server, record, capsys, tmp_path
):
    server.faults[FILE] = [404]
    status, out, _ = run(capsys, tmp_path, record.name)
    assert status == 0
    assert f"gone        {server.url(FILE)}: the server answers 404" in out
    assert f"reachable   {server.url(MIRROR)}: 4,000 bytes" in out


def test_verify_hosts_fails_where_a_file_is_nowhere(
    server, record, capsys, tmp_path
):
    server.files = {}
    status, _, err = run(capsys, tmp_path, record.name)
    assert status == 1
    assert "1 of 1 files are at none of their addresses" in err


def test_verify_hosts_refuses_flags_that_would_change_nothing(
    server, record, capsys, tmp_path
):
    status, _, err = run(capsys, tmp_path, record.name, "--offline", "--repair")
    assert status == 1 and "no use for --offline, --repair" in err
    assert not server.requests


def test_info_shows_what_is_known_of_hosts_and_since_when(capsys):
    assert main(["info", "i3d_r50_kinetics.mmaction2_v0"]) == 0
    out = capsys.readouterr().out
    assert "download.openmmlab.com: lost since 2026-06-06: the domain" in out
    assert "https://github.com/open-mmlab/mmdetection/issues/12445" in out
    known = zoo.info("i3d_r50_kinetics.mmaction2_v0").hosts
    assert known["openmmlab.oss-accelerate.aliyuncs.com"].startswith("former")


def test_a_record_without_a_file_has_no_hosts():
    record = zoo.info("nl_c2d_tiny_longrange")
    assert record.hosts == {}
    assert not [line for line in registry.lines_of(record) if "hosts" in line]
