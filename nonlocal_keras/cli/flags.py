"""Flags that several commands share, as parents of their parsers."""

import argparse

PROGRAM = "nonlocal-keras"


def of_cache():
    """Makes a parser of the flag of the cache."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--cache-dir", metavar="DIR", help="folder of downloads and models"
    )
    return parser


def of_fetching():
    """Makes a parser of the flags of commands that get weights of the zoo."""
    parser = argparse.ArgumentParser(add_help=False, parents=[of_cache()])
    parser.add_argument(
        "--offline", action="store_true", default=None, help="use no network"
    )
    parser.add_argument(
        "--accept-licence",
        metavar="SPDX",
        help="the licence of the weights, if it restricts their use and you "
        "accept it, e.g. CC-BY-NC-4.0",
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


def fetching(arguments):
    """Reads the arguments of `zoo.load` and `zoo.download` off the flags."""
    names = (
        "cache_dir",
        "offline",
        "accept_licence",
        "accept_unverified",
        "sha256",
    )
    return {name: getattr(arguments, name) for name in names}
