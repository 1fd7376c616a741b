"""Results as JSON, a table in Markdown and a plot, all of the same rows."""

import datetime
import json
import os


class Results:
    """The rows of a benchmark, written after each case.

    A run that is cut off, or one of a few cases only, keeps the rows of the
    others as long as machine, threads and versions are the same.

    Args:
        folder: `pathlib.Path`, where `NAME.json`, `NAME.md` and `NAME.png` go.
        name: String, `"op"` or `"model"`.
        machine: Dictionary, see `benchmarks.machine`.
        command: String, what makes these results again.
    """

    def __init__(self, folder, name, machine, command):
        self.file = folder / f"{name}.json"
        self.machine = machine
        self.command = command
        self.rows = []
        folder.mkdir(parents=True, exist_ok=True)
        if self.file.exists():
            old = json.loads(self.file.read_text())
            if old["machine"] == machine:
                self.rows = old["rows"]
            else:
                print(
                    f"{self.file} is of another machine or other versions: "
                    "its rows are dropped.",
                    flush=True,
                )

    def has(self, case):
        return any(row["case"] == case for row in self.rows)

    def add(self, case, **row):
        """Puts a row in the place of the one of the same case."""
        date = datetime.date.today().isoformat()
        row = {"case": case, "date": date, **row}
        self.rows = [r for r in self.rows if r["case"] != case] + [row]
        self._write()

    def _write(self):
        content = {
            "command": self.command,
            "machine": self.machine,
            "rows": self.rows,
        }
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps(content, indent=1) + "\n")
        os.replace(part, self.file)

    def write_page(self, *sections, about=None):
        """Writes the Markdown beside the JSON: machine, then the sections.

        Args:
            *sections: Strings.
            about: String, the machine in words; `None` for what matters of
                one without an accelerator. Defaults to `None`.
        """
        dates = sorted({row["date"] for row in self.rows}) or ["no row"]
        machine = self.machine
        about = about or (
            f"{machine['processor']}, {machine['cores']} cores, "
            f"{machine['memory_gb']} GB, {machine['threads']} threads per "
            f"side, `OMP_WAIT_POLICY={machine['OMP_WAIT_POLICY']}`"
        )
        lines = [
            f"`{self.command}`, {dates[0]}"
            + (f" to {dates[-1]}" if len(dates) > 1 else "")
            + f", on {about}.",
            "",
            *(
                f"- {side}: "
                + ", ".join(f"{name} {v}" for name, v in versions.items())
                for side, versions in machine["versions"].items()
            ),
        ]
        page = "\n".join(lines) + "\n\n" + "\n\n".join(sections) + "\n"
        self.file.with_suffix(".md").write_text(page)


def table(header, rows):
    """Returns a Markdown table of strings."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def seconds(value):
    """Returns seconds to three digits, in the unit that suits them."""
    if value is None:
        return "–"
    if value < 1:
        return f"{value * 1e3:.3g} ms"
    return f"{value:.3g} s" if value < 1000 else f"{value:.0f} s"


def megabytes(value):
    if value is None:
        return "–"
    return f"{value:.0f} MB" if value < 1e4 else f"{value / 1e3:.1f} GB"


def ratio(value):
    """Returns a median with its quartiles, such as `2.1 (2.0–2.3)`."""
    if value is None:
        return "–"
    return (
        f"{_short(value['median'])} ({_short(value['low'])}–"
        f"{_short(value['high'])})"
    )


def _short(x):
    return f"{x:.0f}" if x >= 100 else f"{x:.3g}"
