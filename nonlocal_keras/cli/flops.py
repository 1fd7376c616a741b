"""The command `nonlocal-keras flops`."""

from nonlocal_keras import terminal
from nonlocal_keras.cli import names

# Classes of Kinetics.
CLASSES = 400
# Labels of COCO, with gaps and the background.
OBJECT_CLASSES = 91
# Of what a person asks by hand; more would only ask for memory.
MOST_CLASSES = 100_000
MOST_FRAMES = 100_000
MOST_PIXELS = 100_000


def add_parser(commands):
    """Adds the command to the subparsers of `nonlocal-keras`."""
    flops = commands.add_parser(
        "flops",
        help="count parameters and multiply-adds",
        description="Counts parameters and multiply-adds per clip or image of "
        "models, in the convention of the paper: one multiply-add is one "
        "FLOP, and parameters are the kernels of convolutions and dense "
        "layers. The heads of a detector count for as many boxes as they take "
        "at most. With several names, ratios to the first.",
    )
    flops.add_argument(
        "names",
        nargs="+",
        metavar="NAME",
        help="a name of the zoo, or [nl_|nl1_|nl10_]{c2d|i3d|i3d_3x3x3}_"
        "{tiny|r50|r101}, or [nl_]{faster|mask|keypoint}_rcnn_"
        "{tiny|r50|r101|x101|x152}_fpn",
    )
    flops.add_argument(
        "--family", help="of video models: stem and pooling, e.g. vnl_32x2"
    )
    flops.add_argument(
        "--classes",
        type=terminal.whole_number(1, MOST_CLASSES),
        help=f"{CLASSES} by default; of a detector {OBJECT_CLASSES}, with the "
        "background",
    )
    flops.add_argument(
        "--frames",
        type=terminal.whole_number(1, MOST_FRAMES),
        help="of video models",
    )
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
        shape, words = _input(name, usual, arguments)
        cost = macs.total(macs.count(model, shape))
        first = first or cost
        rows.append(
            f"| {name} | {words} | "
            f"{terminal.with_unit(cost.weights_only)} | "
            f"{cost.weights_only / first.weights_only:.2f} | "
            f"{terminal.with_unit(cost.macs)} | "
            f"{cost.macs / first.macs:.2f} |"
        )
    terminal.write(*rows)


def _model(name, arguments):
    """Returns a model without weights, and the usual shape of its input."""
    import zoo
    from nonlocal_keras import models
    from zoo import tasks

    listed = zoo.list_models()
    if name in {*listed, *(full.partition(".")[0] for full in listed)}:
        _refuse(name, arguments, "family", "classes", of="one of the zoo")
        record = names.find_record(name, None, names.VIDEOS, names.IMAGES)
        # The cost is that of the architecture: no weights are fetched.
        model = zoo.load(name, weights=False)
        return model, tasks.find(record.task).input_shape(record)
    model = models.from_name(name)
    if isinstance(model, models.MaskRCNN):
        _refuse(name, arguments, "family", of="a detector")
        classes = arguments.classes or OBJECT_CLASSES
        model = models.from_name(name, num_classes=classes)
        side = model.get_config()["min_size"]
        return model, {"images": (side, side, 3)}
    backbone = models.from_name(name, family=arguments.family)
    model = models.VideoClassifier(backbone, arguments.classes or CLASSES)
    return model, model.input_shape[1:]


def _input(name, usual, arguments):
    """Returns the shape of a clip or of `images`, and the same in words."""
    of_images = isinstance(usual, dict)
    if of_images:
        _refuse(name, arguments, "frames", of="a detector")
    *frames, height, width, channels = usual["images"] if of_images else usual
    frames = [arguments.frames or n for n in frames]
    height, width = (arguments.size or n for n in (height, width))
    shape = (*frames, height, width, channels)
    words = " x ".join(map(str, shape[:-1]))
    return {"images": shape} if of_images else shape, words


def _refuse(name, arguments, *flags, of):
    """Raises an error for a flag that a model of this kind does not have."""
    for flag in flags:
        if getattr(arguments, flag) is not None:
            raise ValueError(
                f"`--{flag}` would change nothing for {name}, which is {of}. "
                "Leave it out."
            )
