"""What became of each weight when one model took those of another."""

import collections
import dataclasses
import json
import re

_RESIDUAL = re.compile(r"(res[2-5])_(\d+)_branch\w+")
_BLOCK = re.compile(
    r"((?:keypoint_)?nonlocal|global_context)_(?:(res\d)_)?(\d+)"
)


@dataclasses.dataclass(frozen=True)
class Transfer:
    """What became of each weight.

    Attributes:
        origin: String, the source of the weights.
        inflation: String, how kernels of images became those of clips.
        taken: Tuple of the names of the weights that were taken over.
        inflated: Dictionary of those among them that were inflated to the
            number of their frames.
        misfits: Dictionary of the weights whose shape is another in the
            source, to that shape and their own; they stay as they were.
        fresh: Tuple of the names of other weights that stay as they were.
        left_out: Tuple of names in the source alone, or of no use here.
        blocks: Tuple of the names of the non-local and global context blocks
            of the model.
    """

    origin: str
    inflation: str
    taken: tuple
    inflated: dict
    misfits: dict
    fresh: tuple
    left_out: tuple
    blocks: tuple

    @property
    def new_blocks(self):
        """The blocks that stay as they were, the identity if they are new."""
        kept = {name.split(".")[0] for name in (*self.fresh, *self.misfits)}
        return tuple(block for block in self.blocks if block in kept)

    def to_json(self):
        """Returns all names as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    def __str__(self):
        """Returns a Markdown table of a few rows, in which all are named."""
        lines = ["| weights | number | of |", "|---|---|---|"]
        for kind, names, more in self._rows():
            if names:
                where = name_parts(names) + more
                lines.append(f"| {kind} | {len(names)} | {where} |")
        return "\n".join(lines)

    def _rows(self):
        of_blocks = [
            name
            for name in (*self.misfits, *self.fresh)
            if name.split(".")[0] in self.new_blocks
        ]
        rest = [name for name in self.fresh if name not in of_blocks]
        other = {k: v for k, v in self.misfits.items() if k not in of_blocks}
        how = {
            "repeat": "divided by the number of frames",
            "center": "at the middle frame",
        }[self.inflation]
        shapes = "; ".join(
            f"{name} {_spell(theirs)} there, {_spell(ours)} here"
            for name, (theirs, ours) in other.items()
            if name.endswith("kernel")
        )
        yield f"taken over from {self.origin}", self.taken, ""
        yield f"of these inflated, {how}", list(self.inflated), ""
        yield "new blocks, as they begin", of_blocks, ""
        yield "fresh, of another shape", list(other), shapes and f": {shapes}"
        yield "fresh, not taken over", rest, ""
        yield f"left out of {self.origin}", self.left_out, ""


def _spell(shape):
    return "x".join(map(str, shape))


def name_parts(names):
    """Names the layers of weights in few words.

    Example:

    >>> from nonlocal_keras.models.transfer import name_parts
    >>> name_parts(["res3_0_branch1.kernel", "res3_1_branch2a.kernel"])
    'res3[0,1]'

    Args:
        names: Iterable of the names of weights.

    Returns:
        String, residual and non-local blocks with their numbers in brackets,
        other layers by their names.
    """
    numbers = collections.defaultdict(list)
    for name in names:
        layer = name.split(".")[0].removesuffix("_bn")
        residual, block = _RESIDUAL.match(layer), _BLOCK.fullmatch(layer)
        if residual:
            numbers[residual[1]].append(int(residual[2]))
        elif block:
            kind = "_".join(filter(None, block.groups()[:2]))
            numbers[kind].append(int(block[3]))
        else:
            numbers[layer] += []
    return " ".join(
        f"{part}[{_ranges(sorted(set(found)))}]" if found else part
        for part, found in numbers.items()
    )


def _ranges(numbers):
    """Spells rising numbers, runs of three or more as `first-last`."""
    runs = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(
        f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run))
        for run in runs
    )
