"""The command `nonlocal-keras flops`."""

from nonlocal_keras import terminal
from nonlocal_keras.cli import names

# Classes of Kinetics.
CLASSES = 400
# Of what a person asks by hand; more would only ask for memory.
MOST_CLASSES = 100_000
MOST_FRAMES = 100_000
MOST_PIXELS = 100_000


def add_parser(commands):
    """Adds the command to the subparsers of `nonlocal-keras`."""
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
    flops.add_argument(
        "--classes",
        type=terminal.whole_number(1, MOST_CLASSES),
        help=f"{CLASSES} by default",
    )
    flops.add_argument("--frames", type=terminal.whole_number(1, MOST_FRAMES))
    flops.add_argument(
        "--size",
        type=terminal.whole_number(1, MOST_PIXELS),
        help="height and width in pixels",
    )
    flops.set_defaults(run=_flops)


def _flops(arguments):
    from nonlocal_keras.analysis import macs
    from nonlocal_keras.layers import initialization

    first = None
    # All rows or none: half a table would be read as the whole.
    rows = [
        "| model | input | kernels | ratio | MACs | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for name in arguments.names:
        with initialization.no_random_weights():
            model, usual = _model(name, arguments)
        frames, height, width, channels = usual
        frames = arguments.frames or frames
        height, width = (arguments.size or n for n in (height, width))
        shape = (frames, height, width, channels)
        cost = macs.total(macs.count(model, shape))
        first = first or cost
        rows.append(
            f"| {name} | {frames} x {height} x {width} | "
            f"{terminal.with_unit(cost.weights_only)} | "
            f"{cost.weights_only / first.weights_only:.2f} | "
            f"{terminal.with_unit(cost.macs)} | "
            f"{cost.macs / first.macs:.2f} |"
        )
    terminal.write(*rows)


def _model(name, arguments):
    """Returns a model without weights, and the usual shape of its clip."""
    import zoo
    from nonlocal_keras import models
    from zoo import tasks

    listed = zoo.list_models()
    if name not in {*listed, *(full.partition(".")[0] for full in listed)}:
        backbone = models.from_name(name, family=arguments.family)
        classes = arguments.classes or CLASSES
        model = models.VideoClassifier(backbone, classes)
        return model, model.input_shape[1:]
    for flag in ("family", "classes"):
        if getattr(arguments, flag) is not None:
            raise ValueError(
                f"`--{flag}` is for names that are built and would change "
                f"nothing for {name}, which is one of the zoo. Leave it out."
            )
    record = names.find_record(name, None, names.VIDEOS)
    # The cost is that of the architecture: no weights are fetched.
    model = zoo.load(name, weights=False)
    return model, tasks.find(record.task).input_shape(record)
