"""Counts what is wrong with the entries of a file that somebody else made."""

import dataclasses

# Characters of what a file says that are repeated in a table.
LONGEST_EXAMPLE = 60


@dataclasses.dataclass
class Fault:
    """One kind of fault.

    Attributes:
        what: String, what is wrong.
        done: String, what was done about it, such as `"skipped"`.
        count: Integer, how often it was found.
        example: String, where it was found first.
    """

    what: str
    done: str
    count: int
    example: str


class Faults:
    """The faults of a file by kind, the most frequent ones first.

    `str` makes a table of them, iteration yields each `Fault`.

    Example:

    >>> from nonlocal_keras.data.faults import Faults
    >>> faults = Faults()
    >>> for number in (7, 8):
    ...     faults.add("box is empty", "skipped", f"annotation {number}")
    >>> print(faults)
    count  done     what          first
        2  skipped  box is empty  annotation 7
    """

    def __init__(self):
        self._kinds = {}

    def add(self, what, done, example):
        """Counts a fault.

        Args:
            what: String, what is wrong.
            done: String, what is done about it.
            example: Any object, whose `str` says where; kept of the first.
        """
        fault = self._kinds.get((what, done))
        if fault is None:
            text = str(example)
            if len(text) > LONGEST_EXAMPLE:
                text = text[: LONGEST_EXAMPLE - 3] + "..."
            fault = self._kinds[what, done] = Fault(what, done, 0, text)
        fault.count += 1

    def __iter__(self):
        return iter(sorted(self._kinds.values(), key=lambda f: -f.count))

    def __len__(self):
        return sum(fault.count for fault in self)

    def __str__(self):
        if not self._kinds:
            return "no faults"
        rows = [("count", "done", "what", "first")]
        rows += [(str(f.count), f.done, f.what, f.example) for f in self]
        widths = [max(map(len, column)) for column in zip(*rows)]
        return "\n".join(
            "  ".join(
                (
                    count.rjust(widths[0]),
                    done.ljust(widths[1]),
                    what.ljust(widths[2]),
                    example,
                )
            )
            for count, done, what, example in rows
        )
