"""Folders as `train.py` leaves them, without a training."""

import json


def write_run(
    folder, models=("nl_c2d_tiny", "c2d_tiny"), parts=4, ended=True, classes=2
):
    """Writes the logs, settings and report of a run; returns its folder.

    Args:
        folder: `pathlib.Path` of the folder, made if missing.
        models: Tuple of names. Defaults to two.
        parts: Integer, parts of 10 steps that each model has ended. Defaults
            to `4`.
        ended: Boolean, whether these are all, and there is a report. Defaults
            to `True`.
        classes: Integer. Defaults to `2`.
    """
    total = parts if ended else 2 * parts
    settings = {"models": models, "steps": 10 * total, "epochs": total}
    for name in models:
        (folder / name).mkdir(parents=True)
        _write_json(folder / name / "experiment.json", settings)
        names = {"classes": list(map(str, range(classes)))}
        _write_json(folder / name / "videos.json", names)
        rows = [
            (part, 1 / (part + 1), part / (part + 1), part / (part + 2))
            for part in range(parts)
        ]
        write_log(folder / name, rows)
    if ended:
        rows = [
            {"model": m, "top1": 0.75, "interval": [0.5, 0.875], "videos": 1200}
            for m in models
        ]
        _write_json(folder / "report.json", rows)
    return folder


def write_log(folder, rows, columns=("loss", "top1", "val_top1"), end="\r\n"):
    """Writes `log.csv` as Keras does: one row per part, from part 0 on."""
    lines = [("epoch", *columns), *rows]
    text = "\r\n".join(",".join(map(str, line)) for line in lines)
    (folder / "log.csv").write_text(text + end, newline="")


def _write_json(path, content):
    path.write_text(json.dumps(content))
