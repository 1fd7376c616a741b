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
    if isinstance(weights, bool):
        model = _model(record, root, weights, offline, accept_licence)
    else:
        model = _from_file(record, root, os.fspath(weights))
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


def download(name, *, cache_dir=None, offline=None, accept_licence=None):
    """Makes sure that a model is in the cache, as the first `load` does.

    Example:

    >>> zoo.download("nl_i3d_r101_kinetics")

    Args:
        name, cache_dir, offline, accept_licence: As for `zoo.load`.

    Returns:
        `pathlib.Path` of the version folder: see `zoo.path`.

    Raises:
        ValueError: As for `zoo.load`.
    """
    record, root = registry.find(name, cache_dir)
    return _artifact(record, root, offline, accept_licence)


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


def _model(record, root, weights, offline, accept_licence):
    if not weights and record.architecture is not None:
        from zoo import build

        return artifacts.equip(build.from_record(record), record)
    folder = _artifact(record, root, offline, accept_licence)
    model = artifacts.read(folder, record)
    return model if weights else type(model).from_config(model.get_config())


def _artifact(record, root, offline, accept_licence):
    """Gives the folder of a whole artifact, downloaded where it has to be."""
    if record.download is not None:
        from zoo import install

        folder = install.ensure(record, root, offline, accept_licence)
    else:
        folder = artifacts.folder_of(record, root)
        problem = checksums.damage(folder, artifacts.LOADED)
        if problem:
            raise ValueError(
                f"The zoo lists {record.name!r}, but {problem}. Install the "
                "package again, or register the model again."
            )
    _check_record(record, root)
    return folder


def _check_record(record, root):
    problem = artifacts.changed_record(record, root)
    if problem:
        raise ValueError(problem)


def _from_file(record, root, file):
    from zoo import build
    from zoo import install

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
    problem = install.wrong(record)(file) if os.path.isfile(file) else None
    if problem:
        logging.warning("%s: %s. It is converted all the same.", file, problem)
    model, report = build.from_file(record, file)
    logging.info("%s", report)
    if record.licence not in install.FREE:
        logging.warning("%s is under %s", record.name, record.licence)
    return artifacts.equip(model, record)
