"""The command `nonlocal-keras evaluate`."""

import sys

from nonlocal_keras import terminal
from nonlocal_keras.cli import flags
from nonlocal_keras.cli import names

KINDS = ("boxes", "masks", "keypoints")
MOST_IMAGES = 1024


def add_parser(commands):
    """Adds the command to the subparsers of `nonlocal-keras`."""
    parser = commands.add_parser(
        "evaluate",
        parents=[flags.fetching_parser()],
        help="measure the AP of a detector",
        description="Measures the average precision of a detector on images "
        "with annotations in COCO's format.",
    )
    parser.set_defaults(run=run)
    flags.add_model(parser)
    parser.add_argument(
        "--annotations",
        required=True,
        metavar="FILE",
        help="in COCO's format, such as instances_val2017.json",
    )
    parser.add_argument(
        "--images",
        required=True,
        metavar="FOLDER",
        help="where the names of the images begin",
    )
    parser.add_argument(
        "--kinds",
        nargs="+",
        choices=KINDS,
        help="what is measured; by default all that the model predicts and "
        "the file has",
    )
    parser.add_argument(
        "--batch-size",
        type=terminal.whole_number(1, MOST_IMAGES),
        default=1,
        metavar="N",
        help="images predicted at once (1)",
    )
    parser.add_argument(
        "--sigmas",
        nargs="+",
        type=float,
        metavar="S",
        help="one per joint, for other joints than the 17 of COCO",
    )
    parser.add_argument(
        "--by-class",
        action="store_true",
        help="print the AP of each class as well",
    )


def run(arguments):
    """Prints the numbers, and what was left out for its faults."""
    from nonlocal_keras import data
    from nonlocal_keras import evaluation

    # Faults of the file come up before a model is downloaded.
    dataset = data.read_coco(arguments.annotations, arguments.images)
    model = _detector(arguments)
    try:
        result = evaluation.evaluate_detector(
            model,
            dataset,
            arguments.kinds,
            arguments.batch_size,
            arguments.sigmas,
            progress=sys.stdout.isatty(),
        )
    except FloatingPointError as error:
        raise ValueError(f"{arguments.model} is damaged: {error}") from error
    terminal.write(*str(result).splitlines())
    if arguments.by_class:
        terminal.write("", *result.table_by_class().splitlines())
    if dataset.faults:
        terminal.write(
            "",
            f"faults of {arguments.annotations} and its images:",
            *str(dataset.faults).splitlines(),
        )


def _detector(arguments):
    """Returns the model, or says how another one is measured."""
    import zoo
    from nonlocal_keras import model_file
    from nonlocal_keras.models import MaskRCNN

    fetching = flags.read_fetching(arguments)
    if model_file.is_file_name(arguments.model):
        flags.refuse_for_file(fetching, arguments.model)
        model = model_file.read(arguments.model, "--model")
    elif zoo.info(arguments.model, arguments.cache_dir).task == names.VIDEOS:
        # Not worth a download.
        model = None
    else:
        model = zoo.load(arguments.model, **fetching)
    if not isinstance(model, MaskRCNN):
        raise ValueError(
            "`--model` must be a detector, a MaskRCNN. The accuracy of a video "
            "classifier is measured by train.py, and by "
            f"nonlocal_keras.evaluate(). Received: {arguments.model}"
        )
    return model
