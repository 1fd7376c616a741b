"""`zoo.load`: a Keras model of a name."""

import os

from absl import logging

from zoo import artifacts
from zoo import checksums
from zoo import registry


def load(
    name,
    *,
    num_classes=None,
    weights=True,
    include_top=True,
    cache_dir=None,
    offline=None,
    accept_licence=None,
    accept_unverified=False,
    sha256=None,
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
        num_classes: Integer. Another number of classes than that of the
            record gives a fresh classifier, which must be trained.
        weights: `True` for the published weights, `False` for none, or the
            path of the published file if it lies here already.
        include_top: Boolean. `False` gives the features of res5,
            `(batch, frames, height, width, channels)`, without pooling and
            classifier.
        cache_dir: Folder for downloads and models. `None` for
            `$NONLOCAL_KERAS_HOME/zoo`, or `~/.cache/nonlocal_keras/zoo`.
        offline: Boolean, whether the network must not be used. `None` for
            what `$NONLOCAL_KERAS_OFFLINE` says.
        accept_licence: String, such as `"CC-BY-NC-4.0"`: the licence of the
            weights, if it restricts their use and you accept it. `None` for
            what `$NONLOCAL_KERAS_ACCEPT_LICENCE` says.
        accept_unverified: Boolean, whether to take a file for which no whole
            checksum vouches: of which only the first digits are published, or
            none and it comes from a mirror.
        sha256: String, the 64 digits of the SHA-256 of the published file, if
            you know them. Another file is refused.

    Returns:
        A `nonlocal_keras.models.VideoClassifier` that predicts, trains and
        saves; it has `labels` and `preprocess(frames)`. With
        `include_top=False` its backbone, which has `preprocess` as well.

    Raises:
        ValueError: For an unknown name, a licence that was not accepted, a
            file that cannot be had, is damaged, or is of another model, or a
            record that was changed after its model was written.
    """
    if num_classes is not None and not include_top:
        raise ValueError(
            "`num_classes` is for the classifier, which include_top=False "
            f"leaves out. Received: num_classes={num_classes}"
        )
    record, root = registry.find(name, cache_dir)
    if not isinstance(weights, bool):
        model = _from_file(record, root, os.fspath(weights), sha256)
    elif not weights and record.architecture is not None:
        from zoo import build

        model = artifacts.equip(build.from_record(record), record)
    else:
        folder = download(
            name,
            cache_dir=cache_dir,
            offline=offline,
            accept_licence=accept_licence,
            accept_unverified=accept_unverified,
            sha256=sha256,
        )
        model = artifacts.read(folder, record)
        if not weights:
            model = type(model).from_config(model.get_config())
    if not include_top:
        model.backbone.preprocess = model.preprocess
        return model.backbone
    if num_classes in (None, len(record.labels)):
        return model
    logging.warning(
        "The classifier of %s classes is fresh and must be trained; the "
        "published one has %d.",
        num_classes,
        model.num_classes,
    )
    return model.with_head(num_classes=num_classes, labels=None)


def download(
    name,
    *,
    cache_dir=None,
    offline=None,
    accept_licence=None,
    accept_unverified=False,
    sha256=None,
):
    """Makes sure that a model is in the cache, as the first `load` does.

    Example:

    >>> folder = zoo.download("nl_i3d_r101_kinetics")

    Args:
        name, cache_dir, offline, accept_licence, accept_unverified, sha256:
            As for `zoo.load`.

    Returns:
        `pathlib.Path` of the version folder: see `zoo.path`.

    Raises:
        ValueError: As for `zoo.load`.
    """
    record, root = registry.find(name, cache_dir)
    if record.download is None:
        folder = _registered(record, root)
    else:
        from zoo import install
        from zoo import trust

        try:
            folder = install.ensure(
                record,
                root,
                offline,
                accept_licence,
                accept_unverified=accept_unverified,
                sha256=sha256,
            )
        except trust.Unavailable as error:
            others = _other_tags(name, record, cache_dir)
            if not others:
                raise
            raise type(error)(f"{error} {others}") from error
    _check_record(record, root)
    return folder


def path(name, cache_dir=None):
    """Gives the folder of a model that is here already.

    Args:
        name: String, see `zoo.list_models`.
        cache_dir: As for `zoo.load`.

    Returns:
        `pathlib.Path` of the version folder, for `tf.saved_model.load`; its
        parent is what TensorFlow Serving takes as model base path.

    Raises:
        ValueError: If it is not here, or was written without a SavedModel.
    """
    record, root = registry.find(name, cache_dir)
    folder = artifacts.folder_of(record, root)
    if not (folder / artifacts.SAVED_MODEL).is_file():
        raise ValueError(
            f"{record.name} has no SavedModel at {folder}. Call "
            f"zoo.download({name!r}) under the TensorFlow backend; if it was "
            "downloaded under another one, delete that folder first."
        )
    return folder


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


def _check_record(record, root):
    problem = artifacts.changed_record(record, root)
    if problem:
        raise ValueError(problem)


def _registered(record, root):
    """Gives the folder of a model that was registered, if it is whole."""
    folder = artifacts.folder_of(record, root)
    problem = checksums.damage(folder, artifacts.LOADED)
    if problem:
        raise ValueError(
            f"The zoo lists {record.name!r}, but {problem}. Install the "
            "package again, or register the model again."
        )
    return folder


def _from_file(record, root, file, sha256):
    from zoo import build
    from zoo import install
    from zoo import trust

    if record.download is None:
        raise ValueError(
            f"`weights` must be True or False for {record.name}, which is not "
            "converted from a published file. Received: "
            f"weights={file!r}"
        )
    # A record of the user tells the names of the classes, so it is looked at
    # where there is something to compare it with.
    folder = artifacts.folder_of(record, root)
    if checksums.damage(folder, (artifacts.RECORD,)) is None:
        _check_record(record, root)
    problem = None
    if os.path.isfile(file):
        problem = trust.Trust(record, sha256=sha256).wrong(file)
    if problem and sha256 is not None:
        raise ValueError(f"{file}: {problem}. It is not converted.")
    if problem:
        logging.warning("%s: %s. It is converted all the same.", file, problem)
    model, report = build.from_file(record, file)
    logging.info("%s", report)
    if record.licence not in install.FREE:
        logging.warning("%s is under %s", record.name, record.licence)
    return artifacts.equip(model, record)
