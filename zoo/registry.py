"""Where models lie, and how they get in and out.

A root folder holds `records/NAME.json` and `artifacts/NAME/VERSION/` with a
SavedModel, its twin `model.keras`, `assets/labels.txt` and `card.md`. There
are two roots: the one of the user, which `register` fills, and this package.
"""

import dataclasses
import difflib
import fnmatch
import hashlib
import os
import pathlib
import re
import shutil
import tempfile

from zoo.card import make_card
from zoo.record import Record
from zoo.record import read_record
from zoo.record import write_record

PACKAGE_ROOT = pathlib.Path(__file__).parent
HOME = "NONLOCAL_KERAS_HOME"


def user_root():
    """The user's folder: `$NONLOCAL_KERAS_HOME`, or one below `~/.cache`."""
    default = "~/.cache/nonlocal_keras"
    return pathlib.Path(os.environ.get(HOME, default)).expanduser() / "zoo"


def list_models(pattern="*"):
    """Lists the names of the models.

    Example:

    >>> zoo.list_models("nl_*")
    ['nl_c2d_tiny_longrange']

    Args:
        pattern: String with `*` and `?` as in file names.

    Returns:
        List of strings, numbers sorted by value (`r50` before `r101`).
    """
    names = {p.stem for root in _roots() for p in root.glob("records/*.json")}
    return sorted(fnmatch.filter(names, pattern), key=_natural)


def info(name):
    """Gives the record of a model.

    Example:

    >>> zoo.info("nl_c2d_tiny_longrange").input["frames"]
    8

    Args:
        name: String, see `list_models`.

    Returns:
        A `zoo.Record`.

    Raises:
        ValueError: For an unknown name; the near names are listed.
    """
    return _find(name)[0]


def load(name):
    """Loads a model with its weights.

    Example:

    >>> model = zoo.load("nl_c2d_tiny_longrange")
    >>> model.labels[:2]
    ('red', 'orange')

    Args:
        name: String, see `list_models`.

    Returns:
        A `nonlocal_keras.models.VideoClassifier` that predicts, trains and
        saves, with the class names as `model.labels`.

    Raises:
        ValueError: For an unknown name, or a file that was changed.
    """
    import keras

    import nonlocal_keras  # noqa: F401  (registers the classes of the file)

    record, root = _find(name)
    path = artifact(record, root) / "model.keras"
    _check_file(path, record)
    model = keras.saving.load_model(path, compile=False)
    model.labels = record.labels
    return model


def path(name):
    """Gives the folder of the SavedModel of a model.

    Args:
        name: String, see `list_models`.

    Returns:
        `pathlib.Path` of the version folder, for `tf.saved_model.load`; its
        parent is what TensorFlow Serving takes as model base path.
    """
    return artifact(*_find(name))


def register(model, record, root=None):
    """Puts a model into the zoo under the name of its record.

    The model is exported as a SavedModel with labels and card, its Keras twin
    is written and hashed, and the record is written last, so that a name in
    the list always has a whole model.

    Args:
        model: A `nonlocal_keras.models.VideoClassifier`.
        record: Dictionary of the fields of `zoo.Record` without `version`,
            `sha256` and `size`, which are filled in.
        root: Path of the root. `None` for the user's.

    Returns:
        The `zoo.Record` as written.
    """
    from nonlocal_keras import export

    root = pathlib.Path(root or user_root())
    base = root / "artifacts" / record["name"]
    versions = [int(p.name) for p in base.glob("*") if p.name.isdigit()]
    version = max(versions, default=0) + 1
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=base) as partial:
        # The version number must be free in `base` and in the export alike.
        folder = pathlib.Path(
            export.to_saved_model(model, partial, record["labels"], version)
        )
        twin = folder / "model.keras"
        model.save(twin)
        full = Record(
            version=version,
            sha256=_sha256(twin),
            size=twin.stat().st_size,
            **{**record, "labels": tuple(record["labels"])},
        )
        (folder / "card.md").write_text(make_card(full), encoding="utf-8")
        shutil.move(folder, base / str(version))
    records = root / "records"
    records.mkdir(exist_ok=True)
    new = records / f".{full.name}.partial"
    write_record(full, new)
    os.replace(new, records / f"{full.name}.json")
    return full


def publish(name, root=PACKAGE_ROOT):
    """Copies a model of the user's zoo into this package, without its tag.

    Older versions of the model in the package are removed: what ships is one
    version, and its number tells how many came before.

    Args:
        name: String, e.g. `"nl_c2d_tiny_longrange.local"`.
        root: Path of the root. Defaults to this package.

    Returns:
        The `zoo.Record` as published.
    """
    fields = dataclasses.asdict(info(name))
    for derived in ("version", "sha256", "size"):
        fields.pop(derived)
    fields["name"] = name.partition(".")[0]
    record = register(load(name), fields, root)
    for folder in artifact(record, pathlib.Path(root)).parent.iterdir():
        if folder.name != str(record.version):
            shutil.rmtree(folder)
    return record


def artifact(record, root):
    """Gives the version folder of a record."""
    return root / "artifacts" / record.name / str(record.version)


def _roots():
    return (user_root(), PACKAGE_ROOT)


def _find(name):
    for root in _roots():
        file = root / "records" / f"{name}.json"
        if re.fullmatch(r"[\w.]+", name) and file.is_file():
            return read_record(file), root
    names = list_models()
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    raise ValueError(
        f"The zoo has no model named {name!r}.{hint} zoo.list_models() gives "
        f"all {len(names)} names."
    )


def _check_file(path, record):
    if not path.is_file():
        raise ValueError(
            f"The zoo lists {record.name!r}, but its file is missing: {path}. "
            "Install the package again, or register the model again."
        )
    if _sha256(path) != record.sha256:
        raise ValueError(
            f"{path} is not the file that was published: its SHA-256 differs "
            f"from the record of {record.name!r}. Install the package again, "
            "or register the model again."
        )


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _natural(name):
    return [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", name)]


def show(record):
    """Gives a record as lines of text, for one screen."""
    lines = []
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if isinstance(value, dict):
            lines.append(f"{field.name}:")
            lines += [f"  {key}: {entry}" for key, entry in value.items()]
        elif field.name == "labels" and len(value) > 12:
            lines.append(f"labels: {len(value)}, {', '.join(value[:12])}, ...")
        else:
            text = ", ".join(value) if isinstance(value, tuple) else value
            lines.append(f"{field.name}: {text}")
    return "\n".join(lines)
