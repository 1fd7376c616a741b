"""Loads a random full-width model by its name, from a server on this machine.

    python zoo_load.py FOLDER [NAME]

FOLDER holds the zip and the logits that `make_mxnet.py` has written with
GluonCV on MXNet. The record is the package's, with the address and the
checksum of that file. It prints the error against MXNet, and the time and
peak memory of a first and a second `zoo.load`, each in a process of its own.
"""

import argparse
import contextlib
import dataclasses
import functools
import hashlib
import http.server
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import zipfile

import numpy as np

import zoo

LOAD = """
import json, resource, sys, time
import keras
begin = time.perf_counter()
import zoo
model = zoo.load(sys.argv[1], cache_dir=sys.argv[2])
seconds = time.perf_counter() - begin
import numpy as np
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
with np.load(sys.argv[3]) as pair:
    clip = np.moveaxis(pair["clip"], 1, -1)
logits = np.asarray(model.logits(clip, training=False))
print(json.dumps([seconds, peak, logits.tolist()]))
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("name", nargs="?", default="nl_i3d_r101_kinetics")
    arguments = parser.parse_args()
    record = zoo.info(arguments.name)
    # "GluonCV i3d_nl5_resnet101_v1_kinetics400, MXNet"
    file = record.source.split()[1].rstrip(",")
    with (
        serving(arguments.folder) as url,
        tempfile.TemporaryDirectory() as cache,
    ):
        write_record(record, arguments.folder / f"{file}.zip", url, cache)
        pair = arguments.folder / f"{file}.npz"
        print("| load | seconds | peak MB | absolute | relative |")
        print("|---|---|---|---|---|")
        worst = 0.0
        for kind in ("first", "second"):
            worst = max(worst, measure(kind, record.name, cache, pair))
    return int(not worst < 1e-4)


def measure(kind, name, cache, pair):
    """Prints one row; returns the larger one of the two errors."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD, name, cache, str(pair)],
        check=True,
        capture_output=True,
        text=True,
    )
    seconds, peak, logits = json.loads(done.stdout.splitlines()[-1])
    with np.load(pair) as arrays:
        expected = arrays["logits"]
    absolute = np.abs(np.array(logits) - expected).max()
    relative = absolute / np.abs(expected).max()
    print(
        f"| {kind} | {seconds:.1f} | {peak:.0f} | {absolute:.1e} | "
        f"{relative:.1e} |",
        flush=True,
    )
    return max(absolute, relative)


def write_record(record, file, url, cache):
    """Puts the record into a cache, with the file that is served here."""
    with zipfile.ZipFile(file) as archive:
        digest = hashlib.sha1(archive.read(archive.namelist()[0])).hexdigest()
    changes = {"url": f"{url}/{file.name}", "checksum": f"sha1:{digest}"}
    record = dataclasses.replace(
        record, download={**record.download, **changes}
    )
    folder = pathlib.Path(cache) / "records"
    folder.mkdir()
    text = json.dumps(dataclasses.asdict(record))
    (folder / f"{record.name}.json").write_text(text)


@contextlib.contextmanager
def serving(folder):
    """Serves a folder on the loopback address."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Handler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


if __name__ == "__main__":
    sys.exit(main())
