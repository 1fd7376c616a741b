"""The command `nonlocal-keras predict`."""

import argparse
import contextlib
import shutil

from nonlocal_keras import terminal
from nonlocal_keras.cli import flags
from nonlocal_keras.cli import names
from nonlocal_keras.cli import predict_images

BAR = 30
MOST_PRINTED = 5
MOST_CLASSES = 1_000_000
# Flags that would change nothing for the other kind of models.
FOR_VIDEOS = ("views", "top")
FOR_IMAGES = ("output", "threshold")


def add_parser(commands):
    """Adds the command to the subparsers of `nonlocal-keras`."""
    parser = commands.add_parser(
        "predict",
        parents=[flags.fetching_parser()],
        help="name what a video shows, or the objects in an image",
        description="Predicts videos with a classifier, and images with a "
        "detector.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("files", nargs="+", metavar="VIDEO_OR_IMAGE")
    flags.add_model(parser)
    parser.add_argument(
        "--weights", metavar="FILE", help="the published file, if it is here"
    )
    _add_video_flags(parser.add_argument_group("for videos"))
    _add_image_flags(parser.add_argument_group("for images"))


def _add_video_flags(parser):
    parser.add_argument(
        "--views",
        choices=("1", "all"),
        help="1: one clip in the middle of the video (default); all: the "
        "views of the published test, 30 for most models",
    )
    parser.add_argument(
        "--top",
        type=terminal.whole_number(1, MOST_CLASSES),
        metavar="K",
        help="how many classes to print (5)",
    )


def _add_image_flags(parser):
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="a picture of the objects, .png, .jpg or .webp; for several "
        "images a folder",
    )
    parser.add_argument(
        "--threshold",
        type=_part,
        metavar="SCORE",
        help=f"less probable objects are left out ({predict_images.THRESHOLD})",
    )


def _part(text):
    with contextlib.suppress(ValueError):
        if 0 <= (number := float(text)) <= 1:
            return number
    raise argparse.ArgumentTypeError(
        f"must be a number from 0 to 1. Received: {text}"
    )


def run(arguments):
    """Predicts every file by what the model is for."""
    from nonlocal_keras.models import MaskRCNN

    model, views = _predictor(arguments)
    detector = isinstance(model, MaskRCNN)
    for flag in FOR_VIDEOS if detector else FOR_IMAGES:
        if getattr(arguments, flag) is not None:
            asked, kind = ("videos", "detector")
            if not detector:
                asked, kind = "images", "classifier of videos"
            raise ValueError(
                f"`--{flag}` is for {asked} and would change nothing for a "
                f"{kind}. Received: --model {arguments.model}"
            )
    if detector:
        predict_images.run(model, arguments)
    else:
        _predict_videos(model, views, arguments)


def _predict_videos(model, views, arguments):
    """Predicts every video; a broken one does not stop the others."""
    from nonlocal_keras.evaluation.prediction import predict_video
    from nonlocal_keras.evaluation.prediction import top_labels

    broken = []
    for path in arguments.files:
        try:
            probabilities = predict_video(model, path, **views)
        except ValueError as error:
            broken.append(path)
            terminal.say(flags.PROGRAM, _with_hint(error, path))
            continue
        terminal.write(path)
        top = arguments.top or MOST_PRINTED
        _print_bars(top_labels(probabilities, model.labels, top))
    if broken:
        raise ValueError(
            f"{len(broken)} of {len(arguments.files)} videos could not be "
            "predicted, see above"
        )


def _with_hint(error, path):
    """Says more of a file that is an image."""
    from nonlocal_keras import data

    with contextlib.suppress(data.ImageError, ImportError):
        data.read_image(path)
        return (
            f"{path} is an image, and the model names what videos show: give "
            "a detector, such as a .keras file with a MaskRCNN"
        )
    return error


def _predictor(arguments):
    """Returns the model, and the views of a video that are asked for."""
    import zoo
    from nonlocal_keras import model_file

    if not model_file.is_file_name(arguments.model):
        tasks = names.VIDEOS, names.IMAGES
        record = names.find_record(arguments.model, arguments.cache_dir, *tasks)
        model = zoo.load(
            arguments.model,
            weights=arguments.weights or True,
            **flags.read_fetching(arguments),
        )
        return model, record.views if arguments.views == "all" else {}
    fetching = {**flags.read_fetching(arguments), "weights": arguments.weights}
    # A file does not tell how it was tested.
    fetching["views"] = arguments.views == "all"
    flags.refuse_for_file(fetching, arguments.model)
    model = model_file.read_predictor(arguments.model, "--model")
    if getattr(model, "preprocessing", True) is None:
        raise ValueError(
            "`--model` must hold a model that knows its preprocessing: set "
            "model.preprocessing, as the documentation of VideoClassifier "
            f"says, and save it again. Received: {arguments.model}"
        )
    return model, {}


def _print_bars(pairs):
    columns = shutil.get_terminal_size().columns
    most = max(columns - 45, 10)
    # Escapes take room, so they come before the names are cut.
    pairs = [(terminal.escaped(name)[:most], p) for name, p in pairs]
    width = max(len(name) for name, _ in pairs)
    for name, probability in pairs:
        bar = "#" * round(probability * BAR)
        terminal.write(f"  {name:{width}}  {probability:6.1%}  {bar}".rstrip())
