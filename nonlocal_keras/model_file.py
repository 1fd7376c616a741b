"""Models in files of the user, as commands take them."""

import os
import zipfile

SUFFIX = ".keras"


def is_file_name(text):
    """Tells the path of a model from a name of the zoo."""
    return text.endswith(SUFFIX)


def read_predictor(path, argument):
    """Reads the classifier or the detector in a `.keras` file.

    Args:
        path: String or path of the file.
        argument: String, what errors call the path, e.g. `"--model"`.

    Returns:
        A `nonlocal_keras.models.VideoClassifier` or `MaskRCNN`.

    Raises:
        ValueError: If there is no such file, or neither of them in it.
    """
    from nonlocal_keras.models import MaskRCNN
    from nonlocal_keras.models import VideoClassifier

    model = read(path, argument)
    if not isinstance(model, VideoClassifier | MaskRCNN):
        raise ValueError(
            f"`{argument}` must hold a VideoClassifier or a MaskRCNN; put a "
            f"backbone into one. Received: {path} with a "
            f"{type(model).__name__}"
        )
    return model


def read(path, argument):
    """Reads the model in a `.keras` file.

    Args:
        path: String or path of the file.
        argument: String, what errors call the path, e.g. `"--model"`.

    Returns:
        A `keras.Model`.

    Raises:
        ValueError: If there is no such file, or no model in it.
    """
    import keras

    from nonlocal_keras.layers import initialization

    if not os.path.isfile(path):
        raise ValueError(
            f"`{argument}` must be a name of `nonlocal-keras list`, or a "
            f"{SUFFIX} file that exists. Received: {path}"
        )
    written = f"`{argument}` must be a model as model.save(path) writes it."
    if not zipfile.is_zipfile(path):
        found = "is no zip archive" if os.path.getsize(path) else "is empty"
        raise ValueError(f"{written} Received: {path}, which {found}")
    try:
        with initialization.no_random_weights():
            model = keras.saving.load_model(path, compile=False)
    # Keras raises what its readers of zip, JSON and HDF5 files raise.
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"{written} Received: {path}, whose reading ended with "
            f"{type(error).__name__}: {reason}"
        ) from error
    return model
