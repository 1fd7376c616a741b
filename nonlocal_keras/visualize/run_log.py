"""What the folder of a run tells: the logs of its models, and their test.

The run may be in its middle, and what lies there may be damaged or of others:
it is read as far as it goes, and what is left out is said.
"""

import dataclasses
import json
import math
import pathlib
import re

_LOG, _REPORT = "log.csv", "report.json"
# What tests measure, of videos and of images.
TOP1, BOX_AP = "top-1 accuracy", "box AP"
# Bytes; a log of 100,000 parts has less.
_LARGEST = 20_000_000
# No axis shows more, and sums of larger numbers overflow.
_HIGHEST = 1e30
_MOST_PARTS = 10**9
# `--noresume` puts a run aside under such a name.
_ASIDE = re.compile(r"\.old-\d+$")


@dataclasses.dataclass(frozen=True)
class Log:
    """How the training of one model went, one entry per part of the run.

    Attributes:
        name: String, name of the model.
        parts: List of integers, the parts that have ended, from 1 on.
        columns: Dictionary of the name of a quantity to a list of floats, NaN
            where there is no number.
        steps_per_part: Integer, or `None` where it is not known.
        steps: Integer, updates of the whole run, or `None`.
        classes: Integer, number of classes, or `None`.
    """

    name: str
    parts: list
    columns: dict
    steps_per_part: int | None
    steps: int | None
    classes: int | None

    @property
    def ended(self):
        """Whether the last step is logged, as far as it is known."""
        if self.steps is None:
            return True
        return self.parts[-1] * self.steps_per_part >= self.steps


@dataclasses.dataclass(frozen=True)
class Test:
    """The test of one model.

    Attributes:
        name: String, name of the model.
        measure: String, what was measured, `TOP1` or the like.
        value: Float between 0 and 1.
        interval: Tuple of 2 floats, the 95% interval of `value`; `None`
            where none is known.
        items: String, on how many of what, e.g. `"2,000 videos"`; `None`
            where that is not known.
    """

    name: str
    measure: str
    value: float
    interval: tuple | None
    items: str | None


def read(run_dir, say):
    """Reads the folder of a run, or that of one of its models.

    Args:
        run_dir: Path of the folder.
        say: Function that is given a line of text for what is left out.

    Returns:
        A tuple of a list of `Log`, in the order of the training, and a list
        of `Test`.

    Raises:
        ValueError: If there is nothing of a run that could be shown.
    """
    run_dir = pathlib.Path(run_dir)
    folders = _folders_with_logs(run_dir, say)
    if not folders and not (run_dir / _REPORT).is_file():
        raise ValueError(
            "`run_dir` must be the folder of a run, which `train.py "
            f"--model_dir` names: it holds NAME/{_LOG} for each model. A run "
            f"that has just begun has none yet. Received: {run_dir}"
        )
    logs = [log for folder in folders if (log := _read_log(folder, say))]
    tests = _read_report(run_dir, logs, say)
    if not logs and not tests:
        raise ValueError(
            "`run_dir` must hold a run of which a part has ended. Wait for "
            f"its first validation. Received: {run_dir}"
        )
    return logs, tests


def _folders_with_logs(run_dir, say):
    """Returns the folders of the models, in the order of the training."""
    if (run_dir / _LOG).is_file():
        return [run_dir]
    if not run_dir.is_dir():
        return []
    found = sorted(path.parent for path in run_dir.glob(f"*/{_LOG}"))
    aside = [folder.name for folder in found if _ASIDE.search(folder.name)]
    if aside:
        say(f"left out, since they were put aside: {', '.join(aside)}")
    found = [folder for folder in found if folder.name not in aside]
    planned = next(filter(None, map(_read_models, found)), [])
    missing = set(planned) - {folder.name for folder in found}
    if missing:
        say(f"not begun: {', '.join(sorted(missing))}")
    order = {name: place for place, name in enumerate(planned)}
    return sorted(found, key=lambda f: order.get(f.name, len(order)))


def _read_models(folder):
    """Returns the names of the recipe's models, in the order of training."""
    models = _read_object(folder / "experiment.json").get("models")
    if not isinstance(models, list):
        return []
    return [name for name in models if isinstance(name, str)]


def _read_log(folder, say):
    """Returns the `Log` of a model, `None` without a part that has ended."""
    path = folder / _LOG
    rows = _read_rows(path, say)
    if not rows:
        say(f"{path}: no part of the run has ended; nothing is drawn")
        return None
    names = dict.fromkeys(name for _, row in rows for name in row)
    columns = {
        name: [_number(row.get(name, "")) for _, row in rows] for name in names
    }
    for name, values in columns.items():
        count = sum(map(math.isnan, values))
        if count:
            say(
                f"{path}: left out {count} of {len(values)} values of {name}, "
                "which are no finite numbers"
            )
    steps_per_part, steps = _read_steps(folder)
    classes = _read_object(folder / "videos.json").get("classes")
    return Log(
        name=folder.absolute().name,
        parts=[part for part, _ in rows],
        columns=columns,
        steps_per_part=steps_per_part,
        steps=steps,
        classes=len(classes) if isinstance(classes, list) else None,
    )


def _read_rows(path, say):
    """Returns pairs of a part, from 1 on, and its cells by their names."""
    lines = _read_text(path).splitlines(keepends=True)
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines.pop()
        say(f"{path}: left out the last line, which has no end")
    header, rows, wrong, again = [], [], 0, 0
    for line in filter(str.strip, lines):
        cells = line.rstrip("\r\n").split(",")
        if cells[0] == "epoch":
            header = cells
            continue
        part = _part(cells[0])
        if part is None or len(cells) != len(header):
            wrong += 1
            continue
        # The run went back to an earlier checkpoint, and on from there.
        while rows and rows[-1][0] >= part:
            rows.pop()
            again += 1
        rows.append((part, dict(zip(header[1:], cells[1:]))))
    if wrong:
        say(f"{path}: left out {_count(wrong, 'line')} not of the log's form")
    if again:
        say(f"{path}: left out {_count(again, 'row')} that came again later")
    return rows


def _part(text):
    """Returns the part of an epoch, which is counted from 0; `None` if none."""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        return None
    return int(text) + 1


def _number(text):
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if abs(value) < _HIGHEST else math.nan


def _read_steps(folder):
    """Returns the steps of a part and of the run, as `training.loop` counts."""
    settings = _read_object(folder / "experiment.json")
    steps, epochs = settings.get("steps"), settings.get("epochs")
    for number in (steps, epochs):
        if type(number) is not int or not 1 <= number <= _MOST_PARTS:
            return None, None
    return max(steps // epochs, 1), steps


def _read_report(run_dir, logs, say):
    path = run_dir / _REPORT
    if not path.is_file():
        say(f"{path}: not there; the run has not been tested yet")
        return []
    rows = _read_json(path)
    if not isinstance(rows, list):
        say(f"{path}: left out, since it is no report of train.py")
        return []
    tests = [test for row in rows if (test := _test_of(row))]
    if len(tests) < len(rows):
        wrong = _count(len(rows) - len(tests), "row")
        say(f"{path}: left out {wrong} without a result of a test")
    # A model is tested when its training has ended.
    training = {log.name for log in logs if not log.ended}
    early = [test.name for test in tests if test.name in training]
    if early:
        say(
            f"{path}: left out {', '.join(early)}: not trained to the end, so "
            "that the test is of an earlier run"
        )
    return [test for test in tests if test.name not in training]


def _test_of(row):
    """Returns the `Test` of a row of the report, `None` if it has none."""
    try:
        if "numbers" in row:
            measure, noun, interval = BOX_AP, "image", None
            value = float(row["numbers"]["boxes"]["AP"])
        else:
            measure, noun, value = TOP1, "video", float(row["top1"])
            low, high = map(float, row["interval"])
            interval = (low, high)
        name, count = row["model"], row.get(f"{noun}s")
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return None
    if not isinstance(name, str):
        return None
    # Ends of the interval are rounded.
    numbers = (value, *(interval or ()))
    if not all(-1e-6 <= number <= 1 + 1e-6 for number in numbers):
        return None
    if type(count) is not int or not 0 <= count <= _MOST_PARTS:
        return Test(name, measure, value, interval, None)
    return Test(name, measure, value, interval, f"{count:,} {noun}s")


def _count(number, noun):
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _read_object(path):
    """Returns what a JSON file holds, an empty dictionary if it is damaged."""
    content = _read_json(path) if path.is_file() else None
    return content if isinstance(content, dict) else {}


def _read_json(path):
    try:
        return json.loads(_read_text(path))
    except (ValueError, RecursionError):
        return None


def _read_text(path):
    with open(path, "rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(
            f"A file of a run must have at most {_LARGEST:,} bytes. "
            f"Received: {path}"
        )
    return content.decode("utf-8-sig", errors="replace")
