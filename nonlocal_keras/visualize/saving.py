"""Pictures in files: whole, or not there."""

import contextlib
import os

from nonlocal_keras import partial

SUFFIXES = (".png", ".svg", ".pdf")
_DOTS_PER_INCH = 150


def check_suffix(path, argument="path", suffixes=SUFFIXES):
    """Returns the suffix of a file to write, in small letters.

    Args:
        path: String or path.
        argument: String, what errors call it. Defaults to `"path"`.
        suffixes: Tuple of strings. Defaults to those of pictures.

    Raises:
        ValueError: If it is none of `suffixes`.
    """
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in suffixes:
        raise ValueError(
            f"`{argument}` must end in {', '.join(suffixes)}. Received: {path}"
        )
    return suffix


@contextlib.contextmanager
def replaced(path, argument="path"):
    """Replaces a file as a whole by what is written in the context.

    Args:
        path: String or path of the file.
        argument: String, what errors call it. Defaults to `"path"`.

    Yields:
        `pathlib.Path` of a file to write, with the same suffix.

    Raises:
        ValueError: If it cannot be written.
    """
    path = os.fspath(path)
    try:
        with partial.folder(os.path.dirname(path) or ".") as folder:
            whole = folder / f"whole{os.path.splitext(path)[1].lower()}"
            yield whole
            os.replace(whole, path)
    except OSError as error:
        raise ValueError(
            f"`{argument}` cannot be written: {error.strerror or error}. Name "
            f"another file. Received: {path}"
        ) from error


def save(figure, path, argument="path"):
    """Writes a picture.

    Args:
        figure: A `matplotlib.figure.Figure`.
        path: String or path that ends in `.png`, `.svg` or `.pdf`.
        argument: String, what errors call it. Defaults to `"path"`.

    Raises:
        ValueError: If it ends otherwise, or cannot be written.
    """
    check_suffix(path, argument)
    with replaced(path, argument) as whole:
        figure.savefig(whole, dpi=_DOTS_PER_INCH)
