"""The command `nonlocal-keras plot`."""

import pathlib
import warnings

from nonlocal_keras import terminal
from nonlocal_keras.cli import flags

_DEFAULT = "curves.png"


def add_parser(commands):
    """Adds the command to the subparsers of `nonlocal-keras`."""
    parser = commands.add_parser(
        "plot",
        help="draw the curves and the test of a training run",
        description="Draws loss and accuracy or AP of every model of a run of "
        "train.py over its steps, and the test with its 95% interval. A run "
        "that has not ended is drawn as far as it goes.",
    )
    parser.add_argument(
        "run_dir",
        metavar="RUN_DIR",
        help="the folder that --model_dir of train.py names",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="the picture, which ends in .png, .svg or .pdf; "
        f"RUN_DIR/{_DEFAULT} by default",
    )
    parser.set_defaults(run=_plot)


def _plot(arguments):
    from nonlocal_keras.visualize import curves
    from nonlocal_keras.visualize import saving

    output = pathlib.Path(arguments.run_dir) / _DEFAULT
    if arguments.output is not None:
        output = pathlib.Path(arguments.output)
    saving.check_suffix(output, "--output")
    figure = curves.plot_run(arguments.run_dir, say=_say)
    # Of letters that the font does not have.
    with warnings.catch_warnings(record=True) as caught:
        saving.save(figure, output, "--output")
    for said in dict.fromkeys(str(warning.message) for warning in caught):
        _say(said)
    terminal.write(f"wrote {output}")


def _say(line):
    terminal.say(flags.PROGRAM, line)
