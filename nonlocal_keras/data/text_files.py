"""Files of text that others wrote, in whatever encoding."""

import codecs
import re

from absl import logging


def read_lines(path):
    """Returns the lines of a file of text.

    UTF-8 and UTF-16 are known by their mark or by their bytes. What is
    neither is read as Windows-1252, the Latin-1 of Windows, which is said in
    the log. Lines end as on any system.

    Args:
        path: A `pathlib.Path` of the file.

    Returns:
        List of strings without line ends.

    Raises:
        ValueError: If the file holds no text.
    """
    text = _decode(path.read_bytes(), path)
    if "\0" in text:
        raise ValueError(
            "A list of videos must be a file of text. Save a spreadsheet as "
            f"CSV. Received: {str(path)!r}, which holds other bytes"
        )
    # `splitlines` would also break at rare characters inside of names.
    return re.split(r"\r\n|\r|\n", text)


def _decode(data, path):
    try:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return data.decode("utf-16")
        for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
            # Without a mark: every second byte of plain letters is zero.
            if 5 * data[start::2].count(0) > 2 * len(data):
                return data.decode(encoding)
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        logging.warning("%s is not UTF-8; read as Windows-1252", path)
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")
