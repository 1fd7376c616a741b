"""The command `nonlocal-keras`."""

import functools

from nonlocal_keras import terminal
from nonlocal_keras.cli import convert
from nonlocal_keras.cli import evaluate
from nonlocal_keras.cli import export
from nonlocal_keras.cli import flags
from nonlocal_keras.cli import flops
from nonlocal_keras.cli import plot
from nonlocal_keras.cli import predict
from nonlocal_keras.cli import visualize
from nonlocal_keras.cli import zoo


def main(argv=None):
    """Runs one command.

    Args:
        argv: List of strings. Defaults to `None`, for those of the
            process.

    Returns:
        Integer, the exit status.
    """
    return terminal.status_of(functools.partial(_run, argv), flags.PROGRAM)


def _run(argv):
    arguments = _parser().parse_args(argv)
    arguments.run(arguments)


def _parser():
    parser = terminal.Parser(
        prog=flags.PROGRAM,
        description="Non-local networks in Keras.",
        epilog=f"With {terminal.DEBUG}=1 in the environment, an error comes "
        "with its trace.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    # In the order of the help.
    for command in (
        zoo,
        predict,
        evaluate,
        visualize,
        convert,
        export,
        plot,
        flops,
    ):
        command.add_parser(commands)
    return parser
