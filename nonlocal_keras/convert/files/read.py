"""Reads published checkpoint files into NumPy arrays.

One function for all containers: `read_tensors`. It tells them apart by their
first bytes, since published files carry all kinds of extensions:

| first bytes              | container                      | wrapper key     |
|--------------------------|--------------------------------|-----------------|
| a pickle                 | Caffe2, `pickles.py`           | `blobs` or none |
| a zip with `data.pkl`    | PyTorch, `torch_files.py`      | `model_state`,  |
| a pickled magic number   | PyTorch before 1.6, same file  | `state_dict`    |
|                          |                                | or none         |
| 0x112                    | MXNet, `mxnet_files.py`        | none            |
| a zip with one `.params` | MXNet, same file               | none            |

No file is ever run, and any file that is not a whole checkpoint ends in a
`CheckpointError`. Peak memory is one to two times the file: arrays are views
of the bytes that were read and are copied only where these are not aligned,
not in the byte order of the machine, or bfloat16.
"""

import dataclasses
import hashlib
import os
import stat
import warnings

from nonlocal_keras.convert.files import mxnet_files
from nonlocal_keras.convert.files import pickles
from nonlocal_keras.convert.files import torch_files
from nonlocal_keras.convert.files.archives import ZipMembers
from nonlocal_keras.convert.files.contents import Contents
from nonlocal_keras.convert.files.pickle_values import DOWNLOAD_AGAIN
from nonlocal_keras.convert.files.pickle_values import CheckpointError
from nonlocal_keras.convert.files.pickle_values import describe
from nonlocal_keras.convert.files.pickle_values import file_error
from nonlocal_keras.convert.files.pickle_values import trailing_facts

__all__ = ["Checkpoint", "CheckpointError", "read_tensors"]

MAX_BYTES = 4 << 30

# container -> the formats of its files.
CONTAINERS = {
    "caffe2": ("caffe2",),
    "torch": ("torch-zip", "torch-stream"),
    "mxnet": ("mxnet", "mxnet-zip"),
}
UNPACK = "Unpack it and give the file inside."
KERAS = "Weights of keras.applications are read as source='imagenet'."

# Where, what, its name, and what to do about it.
_NOT_CHECKPOINTS = (
    (0, b"version https://git-lfs", "a Git LFS pointer", "Run `git lfs pull`."),
    (0, b"\x1f\x8b", "a gzip archive", UNPACK),
    (0, b"BZh", "a bzip2 archive", UNPACK),
    (0, b"\xfd7zXZ", "an xz archive", UNPACK),
    (257, b"ustar", "a tar archive", UNPACK),
    (0, b"\x89HDF", "an HDF5 file", KERAS),
    (0, b"%PDF", "a PDF document", DOWNLOAD_AGAIN),
)


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds.

    Attributes:
        tensors: Dictionary of name to read-only `np.ndarray`, in file order.
        metadata: Dictionary of name to plain data: all other entries. What is
            too large to be of use is replaced by a description in `<...>`.
        opaque: Tuple of the class names that the file asked for and that
            were not read.
        sha256: String, the SHA-256 of the file in hexadecimal.
        format: String, `"caffe2"`, `"torch-zip"`, `"torch-stream"`, `"mxnet"`
            or `"mxnet-zip"`.
    """

    tensors: dict = dataclasses.field(repr=False)
    metadata: dict = dataclasses.field(repr=False)
    opaque: tuple
    sha256: str
    format: str


def read_tensors(path, container=None, max_bytes=MAX_BYTES, source=None):
    """Reads the tensors of a published checkpoint file.

    Args:
        path: String or path, the file.
        container: `"caffe2"`, `"torch"`, `"mxnet"`, or `None` for any. A file
            of another kind is an error. Defaults to `None`.
        max_bytes: Integer, the largest file, and the largest contents of a
            zip. Defaults to 4 GiB.
        source: The former name of `container`.

    Returns:
        A `nonlocal_keras.convert.files.read.Checkpoint`, whose `tensors` are
        arrays by name.

    Raises:
        ValueError: If this is no whole file of the container.
    """
    if source is not None:
        if container is not None:
            raise ValueError(
                "`source` is the old name of `container`; give one of them. "
                f"Received: source={source!r}, container={container!r}"
            )
        warnings.warn(
            "`source` of `read_tensors` is called `container` now.",
            DeprecationWarning,
            stacklevel=2,
        )
        container = source
    if container is not None and container not in CONTAINERS:
        raise ValueError(
            f"`container` must be one of {', '.join(CONTAINERS)} or None. "
            f"Received: container={container!r}"
        )
    path = os.fsdecode(path)
    try:
        data = _read_file(path, max_bytes)
        return _parse(data, container, max_bytes)
    except CheckpointError as error:
        raise CheckpointError(f'"{path}": {error}') from error
    except MemoryError as error:
        raise CheckpointError(
            f'"{path}": expected a file that fits in memory, found none '
            "left. Free some, or use a smaller checkpoint."
        ) from error
    # The file may come from anywhere. Whatever a reader did not foresee in it
    # must not surface as a failure of another kind.
    except Exception as error:
        found = f"{type(error).__name__} ({str(error)[:200]})"
        raise CheckpointError(
            f'"{path}": expected a whole checkpoint, found {found}. '
            f"{DOWNLOAD_AGAIN}"
        ) from error


def _read_file(path, max_bytes):
    """Returns the bytes of a regular file of an acceptable size."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            is_directory = stat.S_ISDIR(status.st_mode)
            found = "a directory" if is_directory else "no regular file"
            raise file_error(
                "a file", found, "Give the path of the checkpoint."
            )
        if status.st_size > max_bytes:
            way_out = "Raise max_bytes if you trust it."
            size = f"{status.st_size} bytes"
            raise file_error(f"at most {max_bytes} bytes", size, way_out)
        with open(path, "rb") as file:
            return file.read(status.st_size)
    except OSError as error:
        found = error.strerror or type(error).__name__
        way_out = "Check the path and its permissions."
        raise file_error("a readable file", found, way_out) from error


def _parse(data, container, max_bytes):
    """Returns the `Checkpoint` in the bytes of a file."""
    _refuse_other_files(data)
    opaque = {}
    kind, tree, facts, size = _read_tree(data, max_bytes, opaque)
    if container is not None and kind not in CONTAINERS[container]:
        found = f"one of kind {kind!r}"
        way_out = "Check the name of the container."
        raise file_error(f"a {container} file", found, way_out)
    contents = Contents(2 * size + (1 << 20), kind)
    contents.metadata.update(facts)
    contents.unwrap(tree)
    if not contents.tensors:
        entries = ", ".join(
            describe(name) for name in list(contents.metadata)[:9]
        )
        way_out = "Save the state dict of the model, by name."
        raise file_error(
            "named tensors", f"only {entries or 'nothing'}", way_out
        )
    digest = hashlib.sha256(data).hexdigest()
    return Checkpoint(
        contents.tensors, contents.metadata, tuple(opaque), digest, kind
    )


def _read_tree(data, max_bytes, opaque):
    """Returns the format, the saved object, facts, and the unpacked size."""
    if data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        archive = ZipMembers(data, max_bytes)
        size = sum(m.file_size for m in archive.members.values())
        names = archive.names()
        if any(name.endswith(".params") for name in names):
            return "mxnet-zip", *mxnet_files.read_mxnet_zip(archive), size
        if any(name.split("/")[-1] == "data.pkl" for name in names):
            tree, facts = torch_files.read_torch_zip(archive, opaque)
            return "torch-zip", tree, facts, size
        found = ", ".join(describe(name) for name in names[:5]) or "none"
        raise file_error("a zip with data.pkl or one .params", found, UNPACK)
    size = len(data)
    if data[:8] == mxnet_files.LIST_MAGIC:
        return "mxnet", *mxnet_files.read_mxnet(data), size
    if torch_files.MAGIC_BYTES in data[:32]:
        tree, facts = torch_files.read_torch_stream(data, opaque)
        return "torch-stream", tree, facts, size
    if data[:1] in (b"\x80", b"(", b"}", b"c"):
        tree, end = pickles.load(data)
        return "caffe2", tree, trailing_facts(data, end), size
    found = f"a file that begins with {data[:16]!r}"
    raise file_error("a Caffe2, PyTorch or MXNet file", found)


def _refuse_other_files(data):
    """Names the usual things that one finds in place of a checkpoint."""
    if not data:
        raise file_error("a checkpoint", "an empty file")
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"<"):
        name = "an HTML page" if b"html" in start else "an XML page"
        way_out = "It may be a server's message: read it, then download again."
        raise CheckpointError(
            f"expected a checkpoint, but this looks like {name}. {way_out}"
        )
    for at, magic, name, way_out in _NOT_CHECKPOINTS:
        if data.startswith(magic, at):
            raise CheckpointError(
                f"expected a checkpoint, but this looks like {name}. {way_out}"
            )
