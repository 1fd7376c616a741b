"""The commands `nonlocal-keras list|info|download|predict|verify|publish`."""

import argparse
import shutil

from nonlocal_keras import terminal

BAR = 30
PROGRAM = "nonlocal-keras"
MOST_CLASSES = 1_000_000


def add_parsers(commands):
    """Adds the commands to the subparsers of `nonlocal-keras`.

    Returns:
        The parser of the flags of the cache and of downloads, for other
        commands that load a model by name.
    """
    cache = argparse.ArgumentParser(add_help=False)
    cache.add_argument(
        "--cache-dir", metavar="DIR", help="folder of downloads and models"
    )
    fetch = argparse.ArgumentParser(add_help=False, parents=[cache])
    fetch.add_argument(
        "--offline", action="store_true", default=None, help="use no network"
    )
    fetch.add_argument(
        "--accept-licence",
        metavar="SPDX",
        help="the licence of the weights, if it restricts their use and you "
        "accept it, e.g. CC-BY-NC-4.0",
    )

    def add(name, run, parents, help):
        parser = commands.add_parser(name, parents=parents, help=help)
        parser.set_defaults(run=run)
        return parser

    parser = add("list", _list, [cache], "list the models of the zoo")
    parser.add_argument("pattern", nargs="?", default="*")
    parser.add_argument(
        "--markdown",
        action="store_true",
        help="as the table of the README: one row for all tags of a name",
    )
    parser = add("info", _info, [cache], "show the record of a model")
    parser.add_argument("name")
    parser = add("download", _download, [fetch], "get models into the cache")
    parser.add_argument("names", nargs="+", metavar="NAME")
    _add_predict(add("predict", _predict, [fetch], "name what a video shows"))
    parser = add(
        "verify", _verify, [fetch], "check every file of the models here"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", default=None)
    parser.add_argument(
        "--repair", action="store_true", help="get damaged models again"
    )
    parser = add(
        "publish",
        _publish,
        [cache],
        "copy a model of your zoo into this package",
    )
    parser.add_argument("name")
    return fetch


def _add_predict(parser):
    parser.add_argument("videos", nargs="+", metavar="VIDEO")
    parser.add_argument(
        "--model",
        required=True,
        metavar="NAME_OR_FILE",
        help="a name of the zoo, or a .keras file",
    )
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


def _list(arguments):
    import zoo

    names = zoo.list_models(arguments.pattern, arguments.cache_dir)
    if not names:
        raise ValueError(
            f"No model matches {arguments.pattern!r}. Patterns are as in file "
            "names, e.g. 'nl_i3d_*'."
        )
    found, broken = _records(names, arguments.cache_dir)
    if arguments.markdown:
        terminal.write(*markdown([r for r, _ in found]).splitlines())
    else:
        _print_rows(found)
    if broken:
        raise ValueError(
            f"{broken} of {len(names)} records cannot be read, see above. "
            "Delete them, or register those models again."
        )


def _records(names, cache_dir):
    """Gives the records of names with their roots; says which are broken.

    Returns:
        List of pairs of record and root, and the number of broken records.
    """
    from zoo import registry

    found, broken = [], 0
    for name in names:
        try:
            found.append(registry.find(name, cache_dir))
        except ValueError as error:
            broken += 1
            terminal.say(PROGRAM, error)
    return found, broken


def _print_rows(found):
    from zoo import artifacts

    width = max((len(record.name) for record, _ in found), default=0)
    for record, root in found:
        here = artifacts.folder_of(record, root).is_dir()
        row = (
            f"{record.name:{width}}  {_measure(record.metrics):10}  "
            f"{_clip(record):8}  {record.licence:12}  "
            f"{'here' if here else ''}"
        )
        terminal.write(row.rstrip())


def markdown(records):
    """Gives a table with one row for all tags of a name."""
    rows = [
        "| name | clip | accuracy | licence | weights, the first by default |",
        "|---|---|---|---|---|",
    ]
    tags = {}
    for record in sorted(records, key=lambda record: record.order):
        tags.setdefault(record.plain_name, []).append(record)
    for name in dict.fromkeys(record.plain_name for record in records):
        first = tags[name][0]
        of_name = [f"`{r.name.partition('.')[2]}`" for r in tags[name]]
        rows.append(
            f"| `{name}` | {_clip(first)} | {_measure(first.metrics) or '-'} | "
            f"{first.licence} | "
            f"{'shipped' if first.download is None else ', '.join(of_name)} |"
        )
    return "\n".join(rows)


def _clip(record):
    clip = record.input
    # Frames and stride; "spread": over the whole video.
    return f"{clip['frames']} x {clip['stride'] or 'spread'}"


def _measure(metrics):
    for key, word in (("top1", "top-1"), ("map", "mAP")):
        if key in metrics:
            return f"{word} {metrics[key]:.1%}"
    return ""


def _info(arguments):
    import zoo
    from zoo.registry import show

    terminal.write(*show(zoo.info(arguments.name, arguments.cache_dir)))


def _download(arguments):
    import zoo

    for name in arguments.names:
        folder = zoo.download(name, **_fetching(arguments))
        record = zoo.info(name, arguments.cache_dir)
        terminal.write(f"{record.name} is in {folder}")


def _fetching(arguments):
    return {
        "cache_dir": arguments.cache_dir,
        "offline": arguments.offline,
        "accept_licence": arguments.accept_licence,
    }


def _predict(arguments):
    """Predicts every video; a broken one does not stop the others."""
    from nonlocal_keras.prediction import predict_video
    from nonlocal_keras.prediction import top_labels

    model, views = _predictor(arguments)
    broken = []
    for path in arguments.videos:
        try:
            probabilities = predict_video(model, path, **views)
        except ValueError as error:
            broken.append(path)
            terminal.say(PROGRAM, error)
            continue
        terminal.write(path)
        _print_bars(top_labels(probabilities, model.labels, arguments.top))
    if broken:
        raise ValueError(
            f"{len(broken)} of {len(arguments.videos)} videos could not be "
            "predicted, see above"
        )


def _predictor(arguments):
    """Gives the model, and the views of a video that are asked for."""
    import zoo
    from nonlocal_keras import model_file

    if not model_file.is_file_name(arguments.model):
        model = zoo.load(
            arguments.model,
            weights=arguments.weights or True,
            **_fetching(arguments),
        )
        views = {}
        if arguments.views == "all":
            views = zoo.info(arguments.model, arguments.cache_dir).views
        return model, views
    fetching = {**_fetching(arguments), "weights": arguments.weights}
    unused = [flag for flag, value in fetching.items() if value]
    if arguments.views == "all":
        # A file does not tell how it was tested.
        unused.append("views")
    if unused:
        flags = ", ".join(f"--{flag.replace('_', '-')}" for flag in unused)
        raise ValueError(
            f"`{flags}` is for a name of the zoo and would change nothing "
            f"for a file. Received: --model {arguments.model}"
        )
    model = model_file.read(arguments.model, "--model")
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


def _verify(arguments):
    import zoo
    from zoo import artifacts
    from zoo import registry

    names = arguments.names or zoo.list_models("*", arguments.cache_dir)
    found, wrong = _records(names, arguments.cache_dir)
    for record, root in found:
        wrong += not _verify_model(record, root, arguments)
    if not arguments.names:
        versions = dict.fromkeys(names)
        versions |= {record.name: record.version for record, _ in found}
        for root in registry.roots(arguments.cache_dir):
            for path in artifacts.strays(root, versions):
                terminal.write(f"{path}: belongs to no model; remove it")
                wrong += 1
    if wrong:
        raise ValueError(
            f"{wrong} records, models or files are damaged, not here or do "
            "not belong, see above. --repair gets those models again that "
            "were downloaded; install the package or register the model "
            "again for the others."
        )


def _verify_model(record, root, arguments):
    """Says whether a model is whole; repairs it where that is asked for."""
    from zoo import artifacts
    from zoo import checksums
    from zoo import install

    folder = artifacts.folder_of(record, root)
    if not folder.is_dir():
        # One that is downloaded on demand need not be here.
        missing = bool(arguments.names) or record.download is None
        if missing:
            terminal.write(f"{record.name}: not here")
        return not missing
    problem = checksums.damage(folder)
    if problem and arguments.repair and record.download is not None:
        terminal.write(f"{record.name}: {problem}; it is made again")
        install.ensure(
            record,
            root,
            arguments.offline,
            arguments.accept_licence,
            thorough=True,
        )
        problem = checksums.damage(folder)
    problem = problem or artifacts.changed_record(record, root)
    whole = "every file is as it was written"
    terminal.write(f"{record.name}: {problem or whole}")
    return not problem


def _publish(arguments):
    from zoo import registration
    from zoo import registry

    record = registration.publish(arguments.name, arguments.cache_dir)
    terminal.write(*registry.show(record))
