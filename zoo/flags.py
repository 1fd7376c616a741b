"""The flags of commands that get weights of the zoo."""


def add_to(parser):
    """Adds the flags of downloads to a parser."""
    parser.add_argument(
        "--cache-dir", metavar="DIR", help="folder of downloads and models"
    )
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


def of(arguments):
    """Gives the arguments of `zoo.load` and `zoo.download` for the flags."""
    names = (
        "cache_dir",
        "offline",
        "accept_licence",
        "accept_unverified",
        "sha256",
    )
    return {name: getattr(arguments, name) for name in names}
