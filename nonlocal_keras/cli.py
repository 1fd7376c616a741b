"""The command `nonlocal-keras`."""

import argparse
import sys

from nonlocal_keras.convert import command
from nonlocal_keras.export import command as export_command
from zoo import commands as zoo_commands


def main(argv=None):
    """Runs one command and gives its exit status."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except ValueError as error:
        print(f"nonlocal-keras: {error}", file=sys.stderr)
        return 1
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="nonlocal-keras", description="Non-local networks in Keras."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    fetching = zoo_commands.add_parsers(commands)
    command.add_parser(commands)
    export_command.add_parser(commands, [fetching])
    flops = commands.add_parser(
        "flops",
        help="count parameters and multiply-adds",
        description="Counts parameters and multiply-adds per clip of models, "
        "in the convention of the paper: one multiply-add is one FLOP, and "
        "parameters are the kernels of convolutions and dense layers. With "
        "several names, ratios to the first.",
    )
    flops.add_argument(
        "names",
        nargs="+",
        metavar="NAME",
        help="a name of the zoo, or [nl_|nl1_|nl10_]{c2d|i3d|i3d_3x3x3}_"
        "{tiny|r50|r101}",
    )
    flops.add_argument("--family", help="stem and pooling, e.g. vnl_32x2")
    flops.add_argument("--classes", type=int, default=400)
    flops.add_argument("--frames", type=int)
    flops.add_argument("--size", type=int, help="height and width in pixels")
    flops.set_defaults(run=_flops)
    return parser


def _flops(arguments):
    from nonlocal_keras import macs

    first = None
    print("| model | input | kernels | ratio | MACs | ratio |")
    print("|---|---|---|---|---|---|")
    for name in arguments.names:
        model = _model(name, arguments)
        frames, height, width, channels = model.input_shape[1:]
        frames = arguments.frames or frames
        height, width = (arguments.size or n for n in (height, width))
        shape = (frames, height, width, channels)
        cost = macs.total(macs.count(model, shape))
        first = first or cost
        print(
            f"| {name} | {frames} x {height} x {width} | "
            f"{cost.weights_only / 1e6:.2f} M | "
            f"{cost.weights_only / first.weights_only:.2f} | "
            f"{cost.macs / 1e9:.2f} G | {cost.macs / first.macs:.2f} |"
        )


def _model(name, arguments):
    import zoo
    from nonlocal_keras import models

    if name in zoo.list_models():
        # The cost is that of the architecture: no weights are fetched.
        return zoo.load(name, weights=False)
    backbone = models.from_name(name, family=arguments.family)
    return models.VideoClassifier(backbone, arguments.classes)


if __name__ == "__main__":
    sys.exit(main())
