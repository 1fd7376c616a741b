"""The command `nonlocal-keras convert`."""

import ast
import os
import pathlib
import re

from nonlocal_keras import partial
from nonlocal_keras import terminal
from nonlocal_keras.convert import name_maps
from nonlocal_keras.convert import plan
from nonlocal_keras.convert.name_map import ConversionError


def add_parser(commands):
    """Adds the command to the subparsers of `nonlocal-keras`."""
    parser = commands.add_parser(
        "convert",
        help="turn a published checkpoint into a Keras model",
        description="Turns a published checkpoint into a .keras file and "
        "writes OUT.report.json, which says where every tensor went. Nothing "
        "in the file is run. On failure nothing is written.",
    )
    parser.add_argument("file", metavar="FILE")
    parser.add_argument(
        "--source",
        required=True,
        choices=sorted(name_maps.SOURCES),
        help="the project that made the file",
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="OUT",
        help="path of the model, ending in .keras",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="KEY=VALUE",
        help="what the file cannot tell, as a Python literal or a word, e.g. "
        "--set pairwise=dot_product --set frames=32; may be repeated",
    )
    parser.set_defaults(run=run)


def run(arguments):
    """Converts one file; a failure is a ValueError and leaves no file."""
    from nonlocal_keras.convert.load import convert

    output = pathlib.Path(arguments.output)
    if output.suffix != ".keras" or not output.parent.is_dir():
        raise ConversionError(
            "`--output` must end in .keras and lie in a folder that exists. "
            f"Received: {arguments.output}"
        )
    for path in (output, report_path(output)):
        if path.is_dir():
            raise ConversionError(
                "`--output` and its report must be files. Received: "
                f"{arguments.output}, and {path} is a folder"
            )
    overrides = {}
    for text in arguments.overrides:
        key, value = parse(text)
        if key in overrides:
            raise ConversionError(
                f"`--set` must give each key once. Received: {key} twice"
            )
        overrides[key] = value
    # Before they become arguments, among which other names would be taken.
    plan.check_names(arguments.source, overrides)
    model, report = convert(arguments.file, arguments.source, **overrides)
    write(model, report, output)
    terminal.write(*str(report).splitlines())
    terminal.write(f"wrote {output} and {report_path(output)}")


def parse(text):
    """Turns `key=value` into a pair; the value is a literal or a word."""
    match = re.fullmatch(r"([a-z_0-9]+)=(.+)", text, re.DOTALL)
    if not match:
        raise ConversionError(
            f"`--set` must be of the form key=value. Received: {text!r}"
        )
    key, value = match.groups()
    try:
        return key, ast.literal_eval(value)
    # Nesting runs out of memory or stack; a list is no key of a dictionary.
    except (
        ValueError,
        SyntaxError,
        MemoryError,
        RecursionError,
        TypeError,
    ) as error:
        if re.fullmatch(r"[A-Za-z]\w*", value):
            return key, value
        raise ConversionError(
            "The value of `--set` must be a Python literal, such as 32, "
            "(1, 2, 2) or {'res3': 4}, or a word. "
            f"Received: {text!r}"
        ) from error


def report_path(output):
    """Returns the path of the report of a model."""
    return output.with_name(f"{output.name}.report.json")


def write(model, report, output):
    """Writes a model and its report: both whole, or neither.

    Args:
        model: A `keras.Model`.
        report: A `nonlocal_keras.convert.Report`.
        output: `pathlib.Path` that ends in `.keras`.
    """
    try:
        with partial.folder(output.parent) as folder:
            model.save(folder / "model.keras")
            text = report.to_json() + "\n"
            (folder / "report.json").write_text(text, encoding="utf-8")
            _replace(folder, output)
    except OSError as error:
        raise ConversionError(
            f"`--output` cannot be written: {error.strerror or error}. "
            f"Received: {output}"
        ) from error


def _replace(folder, output):
    """Puts both files into place; the older ones stay if that fails."""
    report, old = report_path(output), folder / "old.report.json"
    if report.exists():
        os.replace(report, old)
    try:
        os.replace(folder / "report.json", report)
        os.replace(folder / "model.keras", output)
    except OSError:
        report.unlink(missing_ok=True)
        if old.exists():
            os.replace(old, report)
        raise
