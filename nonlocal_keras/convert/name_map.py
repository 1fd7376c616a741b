"""The form of a name map: one row per family of tensors."""

import dataclasses
import functools
import re

NUMBER = "(?:0|[1-9][0-9]{0,3})"
# What wrappers put before all names.
PREFIXES = ("module.", "model.")


class ConversionError(ValueError):
    """The tensors of a file do not make the model that was asked for."""


@dataclasses.dataclass(frozen=True)
class NameMap:
    """One way of naming tensors.

    Attributes:
        name: String, what it is called in reports.
        words: Dictionary of part to a dictionary of spellings, file to model.
        rows: Tuple of pairs: name in the file, weight of the model.
        skipped: Tuple of pairs: regular expression, reason. Defaults to `()`.
        shifted: Boolean, whether such names are of networks whose residual
            blocks shift frames. Defaults to `False`.
    """

    name: str
    words: dict
    rows: tuple
    skipped: tuple = ()
    shifted: bool = False

    @functools.cached_property
    def _patterns(self):
        return [
            (_compile(theirs, self.words), ours) for theirs, ours in self.rows
        ]

    def translate(self, name):
        """Returns the weight that a tensor becomes and its row, or `None`."""
        for row, (pattern, target) in enumerate(self._patterns):
            match = pattern.fullmatch(name)
            if match:
                parts = {
                    part: self.words.get(part, {}).get(text, text)
                    for part, text in match.groupdict().items()
                }
                return target.format(**parts), row
        return None

    def spell(self, target):
        """Returns the name that a weight has in such files, or `None`."""
        for theirs, ours in self.rows:
            backwards = {
                part: {text: word for word, text in words.items()}
                for part, words in self.words.items()
            }
            match = _compile(ours, backwards).fullmatch(target)
            if match:
                parts = {
                    part: backwards.get(part, {}).get(text, text)
                    for part, text in match.groupdict().items()
                }
                # A part that only the file has: its usual spelling.
                for part, words in self.words.items():
                    parts.setdefault(part, next(iter(words)))
                return theirs.format(**parts)
        return None

    def reason_to_skip(self, name):
        """Returns the reason why a tensor is of no use, or `None`."""
        for pattern, reason in self.skipped:
            if re.fullmatch(pattern, name):
                return reason
        return None

    def count_known(self, names):
        """Returns how many of some names are in the map."""
        return sum(self.translate(name) is not None for name in names)


def _compile(pattern, words):
    """Returns a regular expression of a name with parts in braces."""
    expression = ""
    for piece in re.split(r"(\{\w+\})", pattern):
        if piece.startswith("{"):
            part = piece[1:-1]
            choices = "|".join(map(re.escape, words.get(part, ()))) or NUMBER
            expression += f"(?P<{part}>{choices})"
        else:
            expression += re.escape(piece)
    return re.compile(expression)


def without_prefix(tensors):
    """Takes off what a wrapper has put before all names.

    Returns:
        The tensors by their bare name, and a dictionary of bare to full name.
    """
    start = ""
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            start = prefix
    names = {name.removeprefix(start): name for name in tensors}
    return {bare: tensors[name] for bare, name in names.items()}, names


def choose_map(maps, names):
    """Returns the map that knows most of some names, or `None`.

    Args:
        maps: Sequence of `NameMap`.
        names: Collection of strings. Half of them must be known, or known to
            be of no use.
    """
    best = max(maps, key=lambda name_map: name_map.count_known(names))
    useless = sum(best.reason_to_skip(name) is not None for name in names)
    known = best.count_known(names)
    return best if known and 2 * (known + useless) >= len(names) else None
