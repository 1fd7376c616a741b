"""Flags that several commands share, as parents of their parsers."""

import argparse

from nonlocal_keras import terminal

PROGRAM = "nonlocal-keras"


def cache_parser():
    """Makes a parser of the flag of the cache."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--cache-dir", metavar="DIR", help="folder of downloads and models"
    )
    return parser


def fetching_parser():
    """Makes a parser of the flags of commands that get weights of the zoo."""
    parser = argparse.ArgumentParser(add_help=False, parents=[cache_parser()])
    parser.add_argument(
        "--offline", action="store_true", default=None, help="use no network"
    )
    parser.add_argument(
        "--accept-license",
        metavar="SPDX",
        help="the license of the weights, if it restricts their use and you "
        "accept it, e.g. CC-BY-NC-4.0",
    )
    parser.add_argument(
        "--accept-licence",
        dest="accept_license",
        action=_Renamed,
        new="--accept-license",
        default=argparse.SUPPRESS,
        help=argparse.SUPPRESS,
    )
    parser.add_argument(
        "--accept-unverified",
        action="store_true",
        help="take a file for which no whole checksum vouches",
    )
    parser.add_argument(
        "--sha256",
        metavar="DIGITS",
        help="the 64 digits of the SHA-256 of the published file, if you know "
        "them; another file is refused",
    )
    return parser


def add_model(parser):
    """Adds the flag of the model, of commands that look at files with it."""
    parser.add_argument(
        "--model",
        required=True,
        metavar="NAME_OR_FILE",
        help="a name of the zoo, or a .keras file",
    )


def say_renamed(old, new):
    """Says to who typed an old name what it is called now."""
    terminal.say(PROGRAM, f"`{old}` is called `{new}` now; use that name.")


class _Renamed(argparse.Action):
    """An old flag, which works and says its new name."""

    def __init__(self, *args, new, **kwargs):
        super().__init__(*args, **kwargs)
        self._new = new

    def __call__(self, parser, namespace, values, option_string=None):
        say_renamed(option_string, self._new)
        setattr(namespace, self.dest, values)


def read_fetching(arguments):
    """Reads the arguments of `zoo.load` and `zoo.download` off the flags."""
    names = (
        "cache_dir",
        "offline",
        "accept_license",
        "accept_unverified",
        "sha256",
    )
    return {name: getattr(arguments, name) for name in names}


def refuse_for_file(values, model):
    """Refuses flags that are for a name of the zoo, beside a file.

    Args:
        values: Dictionary of the names of flags and what was given.
        model: String, the file.

    Raises:
        ValueError: If one of them was given.
    """
    unused = [flag for flag, value in values.items() if value]
    if unused:
        named = ", ".join(f"--{flag.replace('_', '-')}" for flag in unused)
        raise ValueError(
            f"`{named}` is for a name of the zoo and would change nothing "
            f"for a file. Received: --model {model}"
        )
