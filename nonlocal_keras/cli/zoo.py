"""The commands `nonlocal-keras list|info|download|verify|ship`."""

from nonlocal_keras import terminal
from nonlocal_keras.cli import flags


def add_parser(commands):
    """Adds the commands to the subparsers of `nonlocal-keras`."""
    cache, fetching = flags.cache_parser(), flags.fetching_parser()

    def add(name, run, parent, help):
        parser = commands.add_parser(name, parents=[parent], help=help)
        parser.set_defaults(run=run)
        return parser

    parser = add("list", _list, cache, "list the models of the zoo")
    parser.add_argument("pattern", nargs="?", default="*")
    parser.add_argument(
        "--markdown",
        action="store_true",
        help="as the table of the README: one row for all tags of a name",
    )
    parser = add("info", _info, cache, "show the record of a model")
    parser.add_argument("name")
    parser = add("download", _download, fetching, "get models into the cache")
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser = add(
        "verify", _verify, fetching, "check every file of the models here"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", default=None)
    parser.add_argument(
        "--repair", action="store_true", help="get damaged models again"
    )
    parser.add_argument(
        "--hosts",
        action="store_true",
        help="ask the addresses of published files for header and size, and "
        "look at no file here",
    )
    parser = add(
        "ship", _ship, cache, "copy a model of your zoo into this package"
    )
    parser.add_argument("name")
    # Its old name, which the help does not show.
    parser = commands.add_parser("publish", parents=[cache])
    parser.set_defaults(run=_publish)
    parser.add_argument("name")


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
        terminal.write(*_make_table([r for r, _ in found]).splitlines())
    else:
        _print_rows(found)
    if broken:
        raise ValueError(
            f"{broken} of {len(names)} records cannot be read, see above. "
            "Delete them, or register those models again."
        )


def _records(names, cache_dir):
    """Reads the records of names; says which are broken.

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
            terminal.say(flags.PROGRAM, error)
    return found, broken


def _print_rows(found):
    from zoo import artifacts
    from zoo import tasks

    width = max((len(record.name) for record, _ in found), default=0)
    for record, root in found:
        here = artifacts.folder_of(record, root).is_dir()
        task = tasks.find(record.task)
        row = (
            f"{record.name:{width}}  {task.short_accuracy(record):10}  "
            f"{task.short_input(record):8}  {record.license:12}  "
            f"{'here' if here else ''}"
        )
        terminal.write(row.rstrip())


def _make_table(records):
    """Returns a Markdown table with one row for all tags of a name."""
    from zoo import tasks

    rows = [
        "| name | input | accuracy | license | weights, the first by default |",
        "|---|---|---|---|---|",
    ]
    tags = {}
    for record in sorted(records, key=lambda record: record.order):
        tags.setdefault(record.plain_name, []).append(record)
    for name in dict.fromkeys(record.plain_name for record in records):
        first = tags[name][0]
        task = tasks.find(first.task)
        of_name = [f"`{r.name.partition('.')[2]}`" for r in tags[name]]
        rows.append(
            f"| `{name}` | {task.short_input(first)} | "
            f"{task.short_accuracy(first) or '-'} | {first.license} | "
            f"{'shipped' if first.download is None else ', '.join(of_name)} |"
        )
    return "\n".join(rows)


def _info(arguments):
    import zoo
    from zoo.registry import lines_of

    terminal.write(*lines_of(zoo.info(arguments.name, arguments.cache_dir)))


def _download(arguments):
    import zoo

    for name in arguments.names:
        folder = zoo.download(name, **flags.read_fetching(arguments))
        record = zoo.info(name, arguments.cache_dir)
        terminal.write(f"{record.name} is in {folder}")


def _verify(arguments):
    import zoo
    from zoo import artifacts
    from zoo import registry

    names = arguments.names or zoo.list_models("*", arguments.cache_dir)
    found, faults = _records(names, arguments.cache_dir)
    if arguments.hosts:
        return _verify_hosts([record for record, _ in found], arguments)
    if not arguments.repair:
        unused = flags.read_fetching(arguments)
        del unused["cache_dir"]
        _refuse_flags(
            arguments, unused, "Without `--repair` nothing is fetched"
        )
    for record, root in found:
        faults += not _verify_model(record, root, arguments)
    if not arguments.names:
        versions = dict.fromkeys(names)
        versions |= {record.name: record.version for record, _ in found}
        for root in registry.roots(arguments.cache_dir):
            for path in artifacts.find_strays(root, versions):
                terminal.write(f"{path}: belongs to no model; remove it")
                faults += 1
    if faults:
        raise ValueError(
            f"{faults} records, models or files are damaged, not here or do "
            "not belong, see above. --repair gets those models again that "
            "were downloaded; install the package or register the model "
            "again for the others."
        )


def _refuse_flags(arguments, unused, reason):
    given = [name for name in unused if getattr(arguments, name)]
    if given:
        raise ValueError(
            f"{reason}, so that there is no use for "
            f"--{', --'.join(given).replace('_', '-')}"
        )


def _verify_hosts(records, arguments):
    """Says what each address answers; fails if a file is nowhere."""
    from zoo import hosts

    _refuse_flags(
        arguments,
        ("offline", "repair", "sha256", "accept_unverified"),
        "`--hosts` asks the network and changes nothing here",
    )
    nowhere = []
    published = [record for record in records if record.download is not None]
    for record, answers in hosts.ask(published):
        terminal.write(record.name)
        for answer in answers:
            terminal.write(f"  {answer.state:10}  {answer.url}: {answer.text}")
        if not any(answer.state == "reachable" for answer in answers):
            nowhere.append(record.name)
    if nowhere:
        raise ValueError(
            f"{len(nowhere)} of {len(published)} files are at none of their "
            f"addresses: {', '.join(nowhere)}"
        )


def _verify_model(record, root, arguments):
    """Says whether a model is whole; repairs it where that is asked for."""
    from zoo import artifacts
    from zoo import install

    if not artifacts.folder_of(record, root).is_dir():
        # One that is downloaded on demand need not be here.
        missing = bool(arguments.names) or record.download is None
        if missing:
            terminal.write(f"{record.name}: not here")
        return not missing
    problem = artifacts.find_damage(record, root, names=None)
    if problem and arguments.repair and record.download is not None:
        terminal.write(f"{record.name}: {problem}; it is made again")
        install.ensure(
            record,
            root,
            arguments.offline,
            arguments.accept_license,
            thorough=True,
            accept_unverified=arguments.accept_unverified,
            sha256=arguments.sha256,
        )
        problem = artifacts.find_damage(record, root, names=None)
    problem = problem or artifacts.find_change(record, root)
    whole = "every file is as it was written"
    terminal.write(f"{record.name}: {problem or whole}")
    return not problem


def _ship(arguments):
    from zoo import artifacts
    from zoo import registration
    from zoo import registry

    record = registration.ship(arguments.name, arguments.cache_dir)
    folder = artifacts.folder_of(record, registry.PACKAGE_ROOT)
    files = [path for path in folder.rglob("*") if path.is_file()]
    size = sum(file.stat().st_size for file in files)
    terminal.write(
        *registry.lines_of(record),
        f"{len(files)} files of {size:,} bytes in {folder}",
        "Its row in the table of the README:",
        _make_table([record]).splitlines()[-1],
    )


def _publish(arguments):
    flags.say_renamed("publish", "ship")
    _ship(arguments)
