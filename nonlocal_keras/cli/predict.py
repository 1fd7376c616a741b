"""The command `nonlocal-keras predict`."""

import shutil

from nonlocal_keras import terminal
from nonlocal_keras.cli import flags
from nonlocal_keras.cli import names

BAR = 30
MOST_CLASSES = 1_000_000


def add_parser(commands):
    """Adds the command to the subparsers of `nonlocal-keras`."""
    parser = commands.add_parser(
        "predict",
        parents=[flags.fetching_parser()],
        help="name what a video shows",
    )
    parser.set_defaults(run=run)
    parser.add_argument("videos", nargs="+", metavar="VIDEO")
    flags.add_model(parser)
    parser.add_argument(
        "--weights", metavar="FILE", help="the published file, if it is here"
    )
    parser.add_argument(
        "--views",
        choices=("1", "all"),
        default="1",
        help="1: one clip in the middle of the video (default); all: the "
        "views of the published test, 30 for most models",
    )
    parser.add_argument(
        "--top",
        type=terminal.whole_number(1, MOST_CLASSES),
        default=5,
        metavar="K",
        help="how many classes to print (5)",
    )


def run(arguments):
    """Predicts every video; a broken one does not stop the others."""
    from nonlocal_keras.evaluation.prediction import predict_video
    from nonlocal_keras.evaluation.prediction import top_labels

    model, views = _predictor(arguments)
    broken = []
    for path in arguments.videos:
        try:
            probabilities = predict_video(model, path, **views)
        except ValueError as error:
            broken.append(path)
            terminal.say(flags.PROGRAM, error)
            continue
        terminal.write(path)
        _print_bars(top_labels(probabilities, model.labels, arguments.top))
    if broken:
        raise ValueError(
            f"{len(broken)} of {len(arguments.videos)} videos could not be "
            "predicted, see above"
        )


def _predictor(arguments):
    """Returns the model, and the views of a video that are asked for."""
    import zoo
    from nonlocal_keras import model_file

    if not model_file.is_file_name(arguments.model):
        record = names.find_classifier(arguments.model, arguments.cache_dir)
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
    model = model_file.read_classifier(arguments.model, "--model")
    if model.preprocessing is None:
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
