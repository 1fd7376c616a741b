"""Digests of files: of downloads, and of everything in an artifact.

An artifact lists its files in `SHA256SUMS`, in the form that the command
`sha256sum --check` reads.
"""

import hashlib
import zipfile
import zlib

SUMS = "SHA256SUMS"
_CHUNK = 1 << 20


def digest(path, algorithm="sha256"):
    """Returns the digest of a file in hexadecimal.

    Args:
        path: Path of the file.
        algorithm: String, `"sha256"`, `"sha1"` or `"md5"`. Defaults to
            `"sha256"`.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def matches(path, checksum, max_bytes):
    """Tells whether a file has a published checksum.

    A zip that holds one `.params` file, as GluonCV serves them, is published
    with the checksum of what is inside.

    Args:
        path: Path of the file.
        checksum: String such as "sha1:...", "sha256:..." or "md5:...", in
            whole or its first digits.
        max_bytes: Integer. A zip that unpacks to more does not match.
    """
    algorithm, _, expected = checksum.partition(":")
    if digest(path, algorithm).startswith(expected):
        return True
    inside = _digest_inside(path, algorithm, max_bytes)
    return inside is not None and inside.startswith(expected)


def is_whole(checksum):
    """Tells whether a published checksum vouches for a file.

    All digits of an MD5 do not: files are made that share one.
    """
    algorithm, _, digits = (checksum or ":").partition(":")
    return len(digits) == {"sha1": 40, "sha256": 64}.get(algorithm)


def _digest_inside(path, algorithm, max_bytes):
    if not zipfile.is_zipfile(path):
        return None
    hasher, total = hashlib.new(algorithm), 0
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if n.endswith(".params")]
            if len(names) != 1:
                return None
            with archive.open(names[0]) as file:
                while chunk := file.read(_CHUNK):
                    hasher.update(chunk)
                    total += len(chunk)
                    if total > max_bytes:
                        return None
    # A password, a damaged entry, a compression that Python does not have.
    except (
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        EOFError,
        RuntimeError,
        ValueError,
    ):
        return None
    return hasher.hexdigest()


def write_sums(folder):
    """Writes the digests of all files below a folder into it."""
    lines = [
        f"{digest(path)}  {path.relative_to(folder).as_posix()}\n"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != SUMS
    ]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def find_damage(folder, names=None):
    """Finds the first file of an artifact that is not as it was written.

    Args:
        folder: `pathlib.Path` of the artifact.
        names: Names of the files to look at. Defaults to `None`, for all of
            them, and then a file that was not written with them is damage,
            too: a server would load it.

    Returns:
        String that says what is wrong, or `None`.
    """
    try:
        text = (folder / SUMS).read_text(encoding="utf-8")
        sums = dict(reversed(line.split("  ", 1)) for line in text.splitlines())
    except (OSError, ValueError):
        return f"{folder / SUMS} is missing or no list of checksums"
    for name in sums if names is None else names:
        damage = _find_damage(folder / name, sums.get(name))
        if damage:
            return damage
    if names is None:
        for path in sorted(folder.rglob("*")):
            known = path.relative_to(folder).as_posix() in {SUMS, *sums}
            if not known and (path.is_symlink() or not path.is_dir()):
                return f"{path} does not belong to the model; remove it"
    return None


def _find_damage(path, known):
    try:
        if not path.is_file():
            return f"{path} is missing"
        if digest(path) != known:
            return (
                f"{path} is not as it was written: its SHA-256 differs from "
                f"that in {SUMS}"
            )
    except OSError as error:
        return f"{path} cannot be read: {error.strerror or error}"
    return None
