"""`zoo.load`: a Keras model of a name."""

import os

from absl import logging

from zoo import artifacts
from zoo import licenses
from zoo import registry
from zoo import renames
from zoo import tasks


def load(
    name,
    *,
    num_classes=None,
    weights=True,
    include_top=True,
    cache_dir=None,
    offline=None,
    accept_license=None,
    accept_unverified=False,
    sha256=None,
    accept_licence=None,
):
    """Loads a model by name, with the published weights.

    The first use downloads the published file, verifies it, converts it,
    proves that what was written predicts the same, and keeps a Keras model
    and a SavedModel in the cache. Later uses read that and need no network.

    Example:

    >>> model = zoo.load("nl_i3d_r101_kinetics")
    >>> frames = nonlocal_keras.data.read_frames("clip.mp4", range(64))
    >>> probabilities = model.predict(model.preprocess(frames))
    >>> model.labels[probabilities[0].argmax()]
    'abseiling'

    Args:
        name: String, see `zoo.list_models`. Without its tag it means the tag
            that comes first.
        num_classes: Integer, of a detector with the background. Another
            number of classes than that of the record gives fresh weights to
            what tells classes apart, which must be trained. Defaults to
            `None`, for that of the record.
        weights: `True` for the published weights, `False` for none, or the
            path of the published file if it lies here already. Defaults to
            `True`.
        include_top: Boolean. `False` gives the features of res5,
            `(batch, frames, height, width, channels)`, without pooling and
            classifier; of a detector a dictionary of those of res2 to res5.
            Defaults to `True`.
        cache_dir: Folder for downloads and models. Defaults to `None`, for
            `$NONLOCAL_KERAS_HOME/zoo`, or `~/.cache/nonlocal_keras/zoo`.
        offline: Boolean, whether the network must not be used. Defaults to
            `None`, for what `$NONLOCAL_KERAS_OFFLINE` says.
        accept_license: String, such as `"CC-BY-NC-4.0"`: the license of the
            weights, if it restricts their use and you accept it. Defaults to
            `None`, for what `$NONLOCAL_KERAS_ACCEPT_LICENSE` says.
        accept_unverified: Boolean, whether to take a file for which no whole
            checksum vouches: of which only the first digits are published, or
            none and it comes from a mirror. Defaults to `False`.
        sha256: String, the 64 digits of the SHA-256 of the published file, if
            you know them. Another file is refused. Defaults to `None`.
        accept_licence: The old name of `accept_license`.

    Returns:
        A model that predicts, trains and saves. For videos that is a
        `nonlocal_keras.models.VideoClassifier`; it has `labels` and
        `preprocess(frames)`. For images it is a
        `nonlocal_keras.models.MaskRCNN`, whose `predict(images)` takes them
        as they are. With `include_top=False` its backbone, which has
        `preprocess` as well.

    Raises:
        ValueError: For an unknown name, a license that was not accepted, a
            file that cannot be had, is damaged, or is of another model, or a
            record that was changed after its model was written.
    """
    if num_classes is not None and not include_top:
        raise ValueError(
            "`num_classes` is for the classifier, which include_top=False "
            f"leaves out. Received: num_classes={num_classes}"
        )
    accept_license = renames.take(
        "accept_licence", accept_licence, "accept_license", accept_license
    )
    record, root = registry.find(name, cache_dir)
    task = tasks.find(record.task)
    if not isinstance(weights, bool):
        model = _from_file(record, root, os.fspath(weights), sha256)
    elif not weights and record.architecture is not None:
        model = task.equip(tasks.build(record), record)
    else:
        _ensure(
            record,
            root,
            name,
            cache_dir,
            offline=offline,
            accept_license=accept_license,
            accept_unverified=accept_unverified,
            sha256=sha256,
        )
        model = artifacts.read(record, root)
        if not weights:
            fresh = type(model).from_config(model.get_config())
            model = task.equip(fresh, record)
    return task.choose_head(model, record, num_classes, include_top)


def download(
    name,
    *,
    cache_dir=None,
    offline=None,
    accept_license=None,
    accept_unverified=False,
    sha256=None,
    accept_licence=None,
):
    """Makes sure that a model is in the cache, as the first `load` does.

    Example:

    >>> folder = zoo.download("nl_i3d_r101_kinetics")

    Args:
        name, cache_dir, offline, accept_license, accept_unverified, sha256,
            accept_licence: As for `zoo.load`.

    Returns:
        `pathlib.Path` of the version folder: see `zoo.path`.

    Raises:
        ValueError: As for `zoo.load`.
    """
    accept_license = renames.take(
        "accept_licence", accept_licence, "accept_license", accept_license
    )
    record, root = registry.find(name, cache_dir)
    _ensure(
        record,
        root,
        name,
        cache_dir,
        offline=offline,
        accept_license=accept_license,
        accept_unverified=accept_unverified,
        sha256=sha256,
    )
    artifacts.refuse_change(record, root)
    return artifacts.folder_of(record, root)


def path(name, cache_dir=None):
    """Returns the folder of a model that is here already.

    Args:
        name: String, see `zoo.list_models`.
        cache_dir: As for `zoo.load`. Defaults to `None`.

    Returns:
        `pathlib.Path` of the version folder, for `tf.saved_model.load`; its
        parent is what TensorFlow Serving takes as model base path.

    Raises:
        ValueError: If it is not here, or was written without a SavedModel.
    """
    record, root = registry.find(name, cache_dir)
    folder = artifacts.folder_of(record, root)
    if not (folder / artifacts.SAVED_MODEL).is_file():
        way_out = (
            "Register it again under the TensorFlow backend."
            if record.download is None
            else f"Call zoo.download({name!r}) under the TensorFlow backend; "
            "if it was downloaded under another one, or when detectors had "
            "none, delete that folder first."
        )
        raise ValueError(
            f"{record.name} has no SavedModel at {folder}. {way_out}"
        )
    return folder


def _ensure(record, root, name, cache_dir, **options):
    """Makes sure that the artifact of a record is there and whole.

    Args:
        record: The `zoo.Record` that was found by `name` in `cache_dir`.
        root: `pathlib.Path` of the root of its artifact.
        **options: Arguments of `install.ensure`.
    """
    if record.download is not None:
        from zoo import install
        from zoo import trust

        try:
            install.ensure(record, root, **options)
        except trust.Unavailable as error:
            others = _other_tags(name, record, cache_dir)
            if not others:
                raise
            raise type(error)(f"{error} {others}") from error
    elif damage := artifacts.find_damage(record, root):
        raise ValueError(
            f"The zoo lists {record.name!r}, but {damage}. Install the "
            "package again, or register the model again."
        )


def _other_tags(name, record, cache_dir):
    """Names the other weights of a name that was given without its tag."""
    others = registry.list_models(f"{name}.*", cache_dir)
    others = [other for other in others if other != record.name]
    if not others:
        return ""
    return (
        f"The name {name!r} means {record.name!r}, and no other weights are "
        "taken in its place; ask for others by their whole name: "
        f"{', '.join(others)}."
    )


def _from_file(record, root, file, sha256):
    from zoo import conversion
    from zoo import trust

    if record.download is None:
        raise ValueError(
            f"`weights` must be True or False for {record.name}, which is not "
            "converted from a published file. Received: "
            f"weights={file!r}"
        )
    # A record of the user tells the names of the classes, so it is looked at
    # where there is something to compare it with.
    artifacts.refuse_change(record, root)
    fault = None
    if os.path.isfile(file):
        fault = trust.Trust(record, sha256=sha256).find_fault(file)
    if fault and sha256 is not None:
        raise ValueError(f"{file}: {fault}. It is not converted.")
    if fault:
        logging.warning("%s: %s. It is converted all the same.", file, fault)
    model, report = conversion.convert(record, file)
    logging.info("%s", report)
    licenses.tell(record)
    return tasks.find(record.task).equip(model, record)
