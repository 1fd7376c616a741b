"""What the drivers of the benchmarks share."""

import pathlib

from benchmarks import machine
from benchmarks import measure
from benchmarks import workers

# Cases whose outputs differ by more, of the largest entry, are not timed.
TOLERANCE = 1e-4


def add_peer_arguments(parser):
    """Adds what benchmarks against another project are told."""
    parser.add_argument(
        "--peer", required=True, help="Python of the other projects"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="leave cases out that the results have already",
    )
    add_arguments(parser)


def add_arguments(parser, budget=10.0):
    """Adds what every benchmark is told."""
    parser.add_argument(
        "--results",
        type=pathlib.Path,
        default=workers.ROOT / "benchmarks" / "results",
        help="folder of the results",
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=machine.threads(),
        help="threads of each side",
    )
    parser.add_argument(
        "--budget",
        type=float,
        default=budget,
        help="seconds per case after which no further round begins",
    )


def add_choices(parser, choices):
    """Adds options that leave cases with some of the values of a key.

    Args:
        parser: An `argparse.ArgumentParser`.
        choices: Dictionary from the key of a case to its values.
    """
    for name, allowed in choices.items():
        parser.add_argument(
            f"--{name}", nargs="+", choices=allowed, type=type(allowed[0])
        )


def select_cases(cases, choices, arguments):
    """Returns the cases that the options of `add_choices` leave."""
    asked = {name: getattr(arguments, name) for name in choices}
    return [
        case
        for case in cases
        if all(v is None or case[name] in v for name, v in asked.items())
    ]


def starter(python, module, threads, **environment):
    return lambda: workers.Worker(python, module, threads, environment)


def versions(start):
    """Asks one worker of each side for the versions of its libraries."""
    found = {}
    for name, begin in start.items():
        with begin() as worker:
            found[name] = worker.ask("versions")
    return found


def take_turns(ways, budget, pairs, rounds=5):
    """Prepares a worker per way and measures them in turn.

    Args:
        ways: Dictionary of name to `(starter, case)`.
        budget: Float, see `measure.in_turn`.
        pairs: Tuples `(theirs, ours)` of names that are compared; those
            with a name that is not in `ways` are left out.
        rounds: Integer, see `measure.in_turn`. Defaults to `5`.

    Returns:
        Two dictionaries of median and quartiles: seconds by name, and by
        `"theirs / ours"` how many times longer they take.
    """
    running = {}
    try:
        # All at once: most of the time goes into imports.
        for name, (begin, _) in ways.items():
            running[name] = begin()
        for name, (_, told) in ways.items():
            running[name].ask("prepare", case=told)
        taken = measure.in_turn(running, budget, rounds)
    finally:
        for worker in running.values():
            worker.close()
    ratios = {
        f"{theirs} / {ours}": measure.ratio(taken[theirs], taken[ours])
        for theirs, ours in pairs
        if theirs in taken and ours in taken
    }
    return {n: measure.spread(v) for n, v in taken.items()}, ratios
