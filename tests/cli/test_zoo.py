"""The commands list, info, download, predict and verify."""

import re
import shutil
import zipfile

import keras
import pytest

import zoo
from nonlocal_keras.cli.main import main
from tests.support import servers
from tests.support import small
from tests.support import videos
from tests.support import zoo_files
from zoo import artifacts

NAME = zoo_files.NAME
URL = f"/{zoo_files.FILE}"
TINY = "nl_c2d_tiny_longrange"


def run(capsys, *argv):
    capsys.readouterr()
    status = main([str(argument) for argument in argv])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.fixture(scope="module")
def server():
    with servers.serving() as server:
        server.files[URL] = zoo_files.file_bytes()
        yield server


@pytest.fixture(scope="module", autouse=True)
def twin_alone():
    with zoo_files.twin_alone():
        yield


@pytest.fixture(scope="module")
def installed(server, tmp_path_factory):
    root = tmp_path_factory.mktemp("cache")
    zoo_files.write(root, zoo_files.record(server.url(URL)))
    assert main(["download", NAME, "--cache-dir", str(root)]) == 0
    return root


@pytest.fixture
def cache(installed, tmp_path):
    shutil.copytree(installed, tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("videos") / "grey.mp4"
    return videos.write_video(path, frames=12)


def test_list_shows_accuracy_clip_license_and_what_is_here(capsys, cache):
    status, out, _ = run(capsys, "list", "--cache-dir", cache)
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert status == 0 and set(rows) == set(zoo.list_models(cache_dir=cache))
    assert rows[NAME].endswith("here")
    assert re.search(
        r"gluoncv +top-1 76.0% +32 x 2 +Apache-2.0$",
        rows["nl_i3d_r101_kinetics.gluoncv"],
    )


def test_list_without_a_match_says_so(capsys):
    status, _, err = run(capsys, "list", "nothing*")
    assert status == 1 and "No model matches 'nothing*'" in err


def test_info_shows_the_whole_record(capsys):
    _, out, _ = run(capsys, "info", "nl_i3d_r101_kinetics")
    for words in ("sha1:fbfc1d30d90c", "labels: 400, abseiling", "license: A"):
        assert words in out


def test_download_says_where_the_model_is(capsys, cache, server):
    server.requests.clear()
    status, out, _ = run(capsys, "download", NAME, "--cache-dir", cache)
    assert status == 0 and not server.requests
    assert f"{NAME} is in {cache}/artifacts/{NAME}/1" in out


def test_a_download_that_fails_is_one_line(capsys, tmp_path, server):
    record = zoo_files.record(server.url("/gone.params"))
    zoo_files.write(tmp_path, record)
    status, _, err = run(capsys, "download", NAME, "--cache-dir", tmp_path)
    assert status == 1
    assert err.splitlines()[-1].startswith("nonlocal-keras: The file of")


def test_the_license_is_a_flag(capsys, tmp_path):
    name = "nl_c2d_r50_kinetics.vnl_8x8"
    flags = ("--cache-dir", tmp_path, "--offline")
    _, _, err = run(capsys, "download", name, *flags)
    assert "`accept_license` must be 'CC-BY-NC-4.0'" in err
    flags += ("--accept-license", "CC-BY-NC-4.0")
    _, _, err = run(capsys, "download", name, *flags)
    assert "is not in the cache, and the network must not be used" in err


def test_predict_prints_labels_with_bars(capsys, video):
    status, out, _ = run(capsys, "predict", video, "--model", TINY)
    first, *rows = out.splitlines()
    assert status == 0 and first == str(video) and len(rows) == 2
    values = []
    for row in rows:
        found = re.fullmatch(r"  (same|different) +([\d.]+)%( +(#+))?", row)
        values.append(float(found[2]))
        assert len(found[4] or "") == round(0.3 * values[-1])
    assert values == sorted(values, reverse=True)
    assert abs(sum(values) - 100) < 0.3


def test_predict_takes_the_views_of_the_published_test(capsys, cache, video):
    flags = ("--model", NAME, "--cache-dir", cache, "--top", 1)
    _, one, _ = run(capsys, "predict", video, *flags)
    status, all_views, _ = run(capsys, "predict", video, *flags, "--views=all")
    assert status == 0 and one and len(all_views.splitlines()) == 2


def test_a_broken_video_does_not_stop_the_others(capsys, video, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    status, out, err = run(capsys, "predict", broken, video, "--model", TINY)
    assert status == 1 and str(video) in out
    assert "broken.mp4: not a readable video" in err
    assert "1 of 2 videos could not be predicted" in err


def test_predict_converts_a_file_that_is_here(capsys, tmp_path, video):
    record = zoo_files.record("https://example.org/small.params")
    zoo_files.write(tmp_path, record)
    file = tmp_path / "mine.params"
    file.write_bytes(zoo_files.file_bytes())
    flags = ("--model", NAME, "--cache-dir", tmp_path, "--weights", file)
    status, out, _ = run(capsys, "predict", video, *flags)
    assert status == 0 and len(out.splitlines()) == 4


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "mine.keras"
    zoo.load(TINY).save(path)
    return path


def test_predict_takes_a_file_as_export_does(capsys, video, model_file):
    status, out, err = run(capsys, "predict", video, "--model", model_file)
    _, expected, _ = run(capsys, "predict", video, "--model", TINY)
    assert status == 0 and out == expected and len(out.splitlines()) == 3


@pytest.mark.parametrize(
    "flag",
    ["--views=all", "--offline", "--weights=x", "--cache-dir=x"],
)
def test_a_flag_of_names_is_refused_for_a_file(capsys, video, model_file, flag):
    flags = ("--model", model_file, flag)
    status, _, err = run(capsys, "predict", video, *flags)
    assert status == 1
    assert f"`{flag.partition('=')[0]}` is for a name of the zoo" in err


def test_files_that_are_no_model_are_said(capsys, video, tmp_path):
    (tmp_path / "empty.keras").write_bytes(b"")
    (tmp_path / "text.keras").write_bytes(b"PK no")
    (tmp_path / "folder.keras").mkdir()
    with zipfile.ZipFile(tmp_path / "zip.keras", "w") as archive:
        archive.writestr("metadata.json", "{}")
    keras.Sequential([keras.Input((2,))]).save(tmp_path / "other.keras")
    model = zoo.load(TINY)
    model.preprocessing = None
    model.save(tmp_path / "bare.keras")
    for name, words in (
        ("empty", "which is empty"),
        ("text", "which is no zip archive"),
        ("folder", "a .keras file that exists"),
        ("missing", "a .keras file that exists"),
        ("zip", "whose reading ended with"),
        ("other", "must hold a VideoClassifier"),
        ("bare", "knows its preprocessing"),
        ("x" * 300, "a .keras file that exists"),
        ("a\0b", "a .keras file that exists"),
    ):
        flags = ("--model", f"{tmp_path}/{name}.keras")
        status, _, err = run(capsys, "predict", video, *flags)
        assert status == 1 and words in err, (name, err)
        assert err.count("\n") == 1


def test_a_file_name_is_printed_without_control_characters(
    capsys, video, tmp_path
):
    odd = tmp_path / "a\x1b[31m\n.mp4"
    shutil.copy(video, odd)
    (tmp_path / "b\x1b.mp4").write_bytes(b"no video")
    names = [odd, tmp_path / "b\x1b.mp4", tmp_path / "c\nd.mp4"]
    status, out, err = run(capsys, "predict", *names, "--model", TINY)
    assert status == 1 and out.startswith(f"{tmp_path}/a\\x1b[31m\\n.mp4\n")
    assert "b\\x1b.mp4" in err and "c\\nd.mp4" in err
    assert "\x1b" not in out + err and err.count("\n") == 3


def test_verify_looks_at_every_file(capsys, cache):
    status, out, _ = run(capsys, "verify", "--cache-dir", cache)
    assert status == 0
    assert f"{NAME}: every file is as it was written" in out
    assert f"{TINY}: every file is as it was written" in out


def test_verify_names_a_damaged_file_and_repairs_it(capsys, cache):
    folder = cache / "artifacts" / NAME / "1"
    path = folder / artifacts.REPORT  # No load would notice.
    path.write_bytes(path.read_bytes()[:-1])
    flags = (NAME, "--cache-dir", cache)
    status, out, err = run(capsys, "verify", *flags)
    assert status == 1 and f"{NAME}: {path} is not as it was" in out
    assert "1 records, models or files are damaged, not here" in err
    status, out, _ = run(capsys, "verify", *flags, "--repair")
    assert status == 0
    assert out.endswith(f"{NAME}: every file is as it was written\n")


def test_verify_refuses_flags_of_downloads_where_it_repairs_nothing(
    capsys, cache
):
    status, _, err = run(capsys, "verify", "--cache-dir", cache, "--offline")
    assert status == 1
    assert "Without `--repair` nothing is fetched" in err
    assert "no use for --offline" in err


def test_verify_names_a_record_that_was_changed(capsys, cache, server):
    fields = zoo_files.record(server.url(URL))
    zoo_files.write(cache, {**fields, "labels": ["c", "b", "a"]})
    status, out, _ = run(capsys, "verify", "--cache-dir", cache)
    assert status == 1
    assert f"{NAME}.json is not the record that the model was written" in out
    assert f"{TINY}: every file is as it was written" in out


def test_verify_names_what_does_not_belong(capsys, cache):
    versions = cache / "artifacts" / NAME
    strays = [
        versions / ".partial-dead" / "half",
        versions / "2" / "newer.txt",
        cache / "artifacts" / "nobody" / "1" / "model.keras",
        cache / "records" / "notes.txt",
        cache / "records" / ".half.partial",
    ]
    for stray in strays:
        stray.parent.mkdir(parents=True, exist_ok=True)
        stray.write_text("")
    status, out, _ = run(capsys, "verify", "--cache-dir", cache)
    named = {line.partition(":")[0] for line in out.splitlines()}
    assert (
        status == 1
        and {
            str(versions / ".partial-dead"),
            str(versions / "2"),
            str(cache / "artifacts" / "nobody"),
            str(cache / "records" / "notes.txt"),
            str(cache / "records" / ".half.partial"),
        }
        <= named
    )


def test_verify_names_a_file_that_was_put_into_a_model(capsys, cache):
    stray = cache / "artifacts" / NAME / "1" / "assets.extra" / "requests"
    stray.parent.mkdir()
    stray.write_text("")
    status, out, _ = run(capsys, "verify", NAME, "--cache-dir", cache)
    assert status == 1 and f"{stray} does not belong to the model" in out


def test_verify_names_a_registered_model_that_is_gone(capsys, tmp_path):
    fields = {**small.record(), "version": 1}
    zoo_files.write(tmp_path, fields)
    status, out, _ = run(capsys, "verify", "--cache-dir", tmp_path)
    assert status == 1 and f"{fields['name']}: not here" in out


def test_top_is_at_least_one(capsys, video):
    for value in ("0", "-1", "x"):
        flags = ("--model", TINY, f"--top={value}")
        status, _, err = run(capsys, "predict", video, *flags)
        assert status == 2 and "--top: must be a whole number from 1" in err


def test_verify_of_a_model_that_is_not_here(capsys, tmp_path):
    flags = ("nl_i3d_r101_kinetics", "--cache-dir", tmp_path)
    status, out, _ = run(capsys, "verify", *flags)
    assert status == 1 and "nl_i3d_r101_kinetics.gluoncv: not here" in out
