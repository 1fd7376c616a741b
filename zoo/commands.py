"""The commands `nonlocal-keras list|info|download|predict|verify|publish`."""

import argparse
import shutil
import sys

BAR = 30


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
    parser.add_argument("--model", required=True, metavar="NAME")
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
    parser.add_argument("--top", type=int, default=5, metavar="K")


def _list(arguments):
    import zoo
    from zoo import artifacts
    from zoo import registry

    names = zoo.list_models(arguments.pattern, arguments.cache_dir)
    if not names:
        raise ValueError(
            f"No model matches {arguments.pattern!r}. Patterns are as in file "
            "names, e.g. 'nl_i3d_*'."
        )
    found = [registry.find(name, arguments.cache_dir) for name in names]
    if arguments.markdown:
        print(markdown([record for record, _ in found]))
        return
    width = max(map(len, names))
    for record, root in found:
        here = artifacts.folder_of(record, root).is_dir()
        print(
            f"{record.name:{width}}  {_measure(record.metrics):10}  "
            f"{_clip(record):8}  {record.licence:12}  "
            f"{'here' if here else ''}".rstrip()
        )


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

    print(show(zoo.info(arguments.name, arguments.cache_dir)))


def _download(arguments):
    import zoo

    for name in arguments.names:
        folder = zoo.download(name, **_fetching(arguments))
        print(f"{zoo.info(name, arguments.cache_dir).name} is in {folder}")


def _fetching(arguments):
    return {
        "cache_dir": arguments.cache_dir,
        "offline": arguments.offline,
        "accept_licence": arguments.accept_licence,
    }


def _predict(arguments):
    """Predicts every video; a broken one does not stop the others."""
    import zoo
    from nonlocal_keras.prediction import predict_video
    from nonlocal_keras.prediction import top_labels

    model = zoo.load(
        arguments.model,
        weights=arguments.weights or True,
        **_fetching(arguments),
    )
    views = {}
    if arguments.views == "all":
        views = zoo.info(arguments.model, arguments.cache_dir).views
    broken = []
    for path in arguments.videos:
        try:
            probabilities = predict_video(model, path, **views)
        except ValueError as error:
            broken.append(path)
            print(f"nonlocal-keras: {error}", file=sys.stderr)
            continue
        print(path)
        _print_bars(top_labels(probabilities, model.labels, arguments.top))
    if broken:
        raise ValueError(
            f"{len(broken)} of {len(arguments.videos)} videos could not be "
            "predicted, see above"
        )


def _print_bars(pairs):
    columns = shutil.get_terminal_size().columns
    width = min(max(len(name) for name, _ in pairs), max(columns - 45, 10))
    for name, probability in pairs:
        bar = "#" * round(probability * BAR)
        print(f"  {name[:width]:{width}}  {probability:6.1%}  {bar}".rstrip())


def _verify(arguments):
    import zoo
    from zoo import artifacts
    from zoo import checksums
    from zoo import install
    from zoo import registry

    damaged = 0
    for name in arguments.names or zoo.list_models("*", arguments.cache_dir):
        record, root = registry.find(name, arguments.cache_dir)
        folder = artifacts.folder_of(record, root)
        if not folder.is_dir():
            if arguments.names:
                print(f"{record.name}: not here")
                damaged += 1
            continue
        problem = checksums.damage(folder)
        if problem and arguments.repair and record.download is not None:
            print(f"{record.name}: {problem}; it is made again")
            install.ensure(
                record,
                root,
                arguments.offline,
                arguments.accept_licence,
                thorough=True,
            )
            problem = checksums.damage(folder)
        damaged += bool(problem)
        print(f"{record.name}: {problem or 'every file is as it was written'}")
    if damaged:
        raise ValueError(
            f"{damaged} models are damaged or not here, see above. --repair "
            "gets those again that were downloaded; install the package or "
            "register the model again for the others."
        )


def _publish(arguments):
    from zoo import registration
    from zoo import registry

    print(registry.show(registration.publish(arguments.name)))
