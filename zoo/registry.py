"""Names of models and their records.

There are two roots: the folder of the user, which training and downloads
fill, and this package. A root holds `records/NAME.json` and
`artifacts/NAME/VERSION/`.
"""

import dataclasses
import difflib
import fnmatch
import os
import pathlib
import re

from absl import logging

from zoo.record import read_record
from zoo.record_card import make_record_card

PACKAGE_ROOT = pathlib.Path(__file__).parent
HOME = "NONLOCAL_KERAS_HOME"


def user_root(cache_dir=None):
    """Returns the folder of the user.

    Args:
        cache_dir: Path of that folder. Defaults to `None`, for
            `$NONLOCAL_KERAS_HOME/zoo`, else one below `~/.cache`.
    """
    if cache_dir is not None:
        return _folder(os.fspath(cache_dir), "cache_dir")
    default = "~/.cache/nonlocal_keras"
    return _folder(os.environ.get(HOME) or default, HOME) / "zoo"


def _folder(text, argument):
    try:
        folder = pathlib.Path(text).expanduser()
    except RuntimeError as error:
        # Of a `~name` that is nobody's.
        raise ValueError(
            f"`{argument}` must be the path of a folder: {error}. Received: "
            f"{argument}={text!r}"
        ) from error
    if not text or "\0" in text:
        raise ValueError(
            f"`{argument}` must be the path of a folder. Received: "
            f"{argument}={text!r}"
        )
    return folder


def list_models(pattern="*", cache_dir=None):
    """Lists the names of the models.

    Example:

    >>> zoo.list_models("nl10_i3d_r101_*")
    ['nl10_i3d_r101_kinetics.gluoncv', 'nl10_i3d_r101_kinetics.gluoncv_torch']

    Args:
        pattern: String with `*` and `?` as in file names. Defaults to `"*"`.
        cache_dir: Folder of the user's zoo, see `load`. Defaults to `None`.

    Returns:
        List of strings, numbers sorted by value (`r50` before `r101`).
    """
    names = {name for root in roots(cache_dir) for name in record_files(root)}
    return sorted(fnmatch.filter(names, pattern), key=_natural)


def info(name, cache_dir=None):
    """Returns the record of a model.

    Example:

    >>> zoo.info("nl_i3d_r101_kinetics").metrics["top1"]
    0.76

    Args:
        name: String, see `list_models`. Without its tag it means the tag that
            comes first.
        cache_dir: Folder of the user's zoo, see `load`. Defaults to `None`.

    Returns:
        A `zoo.Record`.

    Raises:
        ValueError: For an unknown name; the near names are listed.
    """
    return find(name, cache_dir)[0]


def card(name, cache_dir=None):
    """Returns the model card: the record told in words.

    Example:

    >>> print(zoo.card("nl_i3d_r101_kinetics"))
    # nl_i3d_r101_kinetics.gluoncv
    ...

    Args:
        name: String, see `info`.
        cache_dir: Folder of the user's zoo, see `load`. Defaults to `None`.

    Returns:
        String of Markdown.
    """
    return make_record_card(info(name, cache_dir))


def find(name, cache_dir=None):
    """Returns the record of a name, and the root of its artifact.

    Args:
        name: String, see `info`.
        cache_dir: Folder of the user's zoo, see `load`. Defaults to `None`.

    Returns:
        Tuple of a `zoo.Record` and a `pathlib.Path`.

    Raises:
        ValueError: For an unknown name, or one whose record is broken.
    """
    places = roots(cache_dir)
    files = [
        (known, file, root)
        for root in places
        for known, file in record_files(root).items()
    ]
    exact = [entry for entry in files if entry[0] == name]
    tags = [entry for entry in files if entry[0].partition(".")[0] == name]
    found, broken = [], []
    for _, file, root in exact or tags:
        try:
            found.append((read_record(file), root))
        except ValueError as error:
            broken.append(error)
    if broken and (exact or not found):
        raise broken[0]
    for error in broken:
        logging.warning("%s. It is left out.", error)
    if found:
        record, root = min(found, key=lambda pair: pair[0].order)
        # What is downloaded is the user's, wherever the record lies.
        return record, root if record.download is None else places[0]
    names = list_models(cache_dir=cache_dir)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    raise ValueError(
        f"The zoo has no model named {name!r}.{hint} zoo.list_models() gives "
        f"all {len(names)} names."
    )


def roots(cache_dir=None):
    """Returns the folders of the user and of this package."""
    return (user_root(cache_dir), PACKAGE_ROOT)


def record_files(root):
    """Returns the files of the records of a root, by name.

    Args:
        root: `pathlib.Path`.

    Returns:
        Dictionary of names to `pathlib.Path`s.

    Raises:
        ValueError: If the root is there and cannot be read.
    """
    folder = root / "records"
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ValueError(
            f"`cache_dir` must be a folder that can be read: "
            f"{error.strerror or error}. Received: cache_dir={root}"
        ) from error
    return {
        name.removesuffix(".json"): folder / name
        for name in names
        # A hidden file is one that is being written.
        if name.endswith(".json") and not name.startswith(".")
    }


def _natural(name):
    # Not `isdigit`, which is true of a superscript.
    return [int(p) if p.isdecimal() else p for p in re.split(r"(\d+)", name)]


def lines_of(record):
    """Returns a record as a list of lines, for one screen."""
    lines = []
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if isinstance(value, dict):
            lines.append(f"{field.name}:")
            lines += [f"  {key}: {entry}" for key, entry in value.items()]
        elif field.name == "labels" and len(value) > 12:
            lines.append(f"labels: {len(value)}, {', '.join(value[:12])}, ...")
        elif value != "":
            text = ", ".join(value) if isinstance(value, tuple) else value
            lines.append(f"{field.name}: {text}")
    if record.hosts:
        lines.append("hosts:")
        lines += [f"  {host}: {text}" for host, text in record.hosts.items()]
    return lines
