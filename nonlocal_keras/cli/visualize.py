"""The command `nonlocal-keras visualize`."""

import argparse
import pathlib

from nonlocal_keras import model_file
from nonlocal_keras import terminal
from nonlocal_keras import visualize
from nonlocal_keras.cli import flags
from nonlocal_keras.cli import names
from nonlocal_keras.visualize import animation
from nonlocal_keras.visualize import figures
from nonlocal_keras.visualize import queries
from nonlocal_keras.visualize import reading
from nonlocal_keras.visualize import saving

MOST_ARROWS = 10_000
MOST_PIXELS = 10_000


def add_parser(commands):
    """Adds the command to the subparsers of `nonlocal-keras`."""
    parser = commands.add_parser(
        "visualize",
        parents=[flags.fetching_parser()],
        help="draw where the non-local blocks of a model look",
        description="Draws the weights of non-local blocks over a video, an "
        "image or a sequence: arrows from a query to the positions of its "
        "largest weights, and maps of all weights.",
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "input", metavar="INPUT", help="a video, an image, or an array.npy"
    )
    flags.add_model(parser)
    parser.add_argument(
        "--random-weights",
        action="store_true",
        help="take the model of a name without its weights: what it looks "
        "like before training",
    )
    parser.add_argument(
        "--before",
        metavar="FILE",
        help="the .keras file of the same model before training, drawn above",
    )
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="a .png, .svg, .pdf, .gif or .mp4"
    )
    parser.add_argument(
        "--list-blocks",
        action="store_true",
        help="print the names of the blocks and draw nothing",
    )
    _add_places(parser)
    parser.add_argument(
        "--style", choices=figures.STYLES, help="of a picture (both)"
    )
    parser.add_argument(
        "--top",
        type=terminal.whole_number(1, MOST_ARROWS),
        metavar="K",
        help="how many arrows a query has in a picture (20)",
    )
    parser.add_argument(
        "--pixels",
        choices=reading.PIXELS,
        help="how the pixels of an image become inputs, as in the training of "
        "the model: a mode of keras.applications, or a range",
    )
    parser.add_argument(
        "--size",
        type=terminal.whole_number(1, MOST_PIXELS),
        help="the shorter side of an image, for a model of any size",
    )


def _add_places(parser):
    parser.add_argument(
        "--query",
        action="append",
        type=_query,
        metavar="FRAME,ROW,COLUMN",
        help="where to look from, e.g. 0,0.5,0.5: integers count frames and "
        "pixels of the source, numbers with a point are parts of what the "
        "model sees; an image takes ROW,COLUMN, a sequence STEP; may be "
        "given again. Without it, the position that receives most",
    )
    parser.add_argument(
        "--index",
        action="store_true",
        help="--query counts positions of the map that the block sees",
    )
    parser.add_argument(
        "--block",
        action="append",
        metavar="NAME",
        help="a block to draw; may be given again (all)",
    )


def _query(text):
    try:
        return queries.parsed(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def run(arguments):
    """Draws, or lists the blocks."""
    suffix = _suffix(arguments)
    model = _model(arguments)
    clip = visualize.read_clip(
        arguments.input,
        model,
        frame=_frame(arguments),
        pixels=arguments.pixels,
        size=arguments.size,
    )
    if arguments.list_blocks:
        terminal.write(*visualize.list_blocks(model, clip))
        return
    if suffix in animation.SUFFIXES and clip.frames is None:
        raise ValueError(
            "`--output` must be a picture for an image or a sequence, which "
            f"do not play. Received: {arguments.output}"
        )
    maps = visualize.attention(
        model, clip, arguments.query, arguments.block, arguments.index
    )
    for found in maps:
        _tell(found, arguments.query is None and found is maps[-1])
    if suffix in animation.SUFFIXES:
        _animate(maps, arguments.output)
    else:
        _draw(maps, _before(arguments, maps, clip), arguments)
    terminal.write(f"wrote {arguments.output}")


def _suffix(arguments):
    """Returns the suffix of the output, checked before any work."""
    if arguments.list_blocks:
        if arguments.output is not None:
            raise ValueError(
                "`--list-blocks` draws nothing; leave out -o. Received: "
                f"-o {arguments.output}"
            )
        return None
    if arguments.output is None:
        raise ValueError(
            "`--output` must name the file to write, e.g. -o look.png, or use "
            "--list-blocks. Received: neither"
        )
    suffix = saving.check_suffix(
        arguments.output, "--output", saving.SUFFIXES + animation.SUFFIXES
    )
    _check_place(arguments)
    for flag in ("before", "style", "top"):
        value = getattr(arguments, flag)
        if suffix in animation.SUFFIXES and value is not None:
            raise ValueError(
                f"`--{flag}` is for pictures; an animation shows one map. "
                f"Received: --{flag} {value} -o {arguments.output}"
            )
    return suffix


def _check_place(arguments):
    """Refuses an output that cannot be, before the model runs."""
    output = pathlib.Path(arguments.output)
    if output.is_dir() or not output.parent.is_dir():
        raise ValueError(
            "`--output` must be a file in a folder that exists. Received: "
            f"{output}"
        )
    if output.exists() and output.samefile(arguments.input):
        raise ValueError(
            "`--output` must be another file than the input, which it would "
            f"replace. Received: {output}"
        )


def _frame(arguments):
    """Returns the frame that the clip must hold: that of the first query."""
    if arguments.index or not arguments.query:
        return None
    first = arguments.query[0]
    video = len(first) == 3 and isinstance(first[0], int)
    return first[0] if video else None


def _model(arguments):
    import zoo

    fetching = flags.read_fetching(arguments)
    if model_file.is_file_name(arguments.model):
        random = {"random_weights": arguments.random_weights}
        flags.refuse_for_file({**fetching, **random}, arguments.model)
        return model_file.read(arguments.model, "--model")
    tasks = names.VIDEOS, names.IMAGES
    names.find_record(arguments.model, arguments.cache_dir, *tasks)
    weights = not arguments.random_weights
    return zoo.load(arguments.model, weights=weights, **fetching)


def _before(arguments, maps, clip):
    """Returns the maps of the model before training, at the same places."""
    if arguments.before is None:
        return []
    model = model_file.read(arguments.before, "--before")
    found = []
    for after in maps:
        asked = [tuple(map(int, q)) for q in after.queries]
        found += visualize.attention(
            model, clip, asked, after.block, index=True
        )
    return found


def _tell(found, chosen):
    """Prints the numbers of the maps of a block."""
    terminal.write(found.block)
    for i, position in enumerate(found.queries):
        cells = zip(found.query_cells, position)
        place = [
            _in_words(found.clip, axis, *along[k])
            for axis, (along, k) in enumerate(cells)
        ]
        why = ", which receives most" if chosen else ""
        terminal.write(
            f"  query {tuple(map(int, position))}{why}",
            f"    in the source: {', '.join(place)}",
            *(f"    {line}" for line in visualize.measure(found, i).lines()),
        )


def _in_words(clip, axis, start, stop):
    """Says which frames, rows, columns or steps of the source are meant."""
    name = queries.AXES[len(clip.sizes)][axis]
    if name == "frame":
        return clip.frames_in_words(start, stop)
    first, last = clip.to_source(axis, start, stop)
    return f"{name}s {first:.0f} to {last:.0f}"


def _draw(maps, before, arguments):
    titles = [found.block for found in maps]
    if before:
        titles = [
            f"{title}, {when}"
            for when in ("before", "after")
            for title in titles
        ]
    drawn = visualize.figure(
        [*before, *maps],
        style=arguments.style or "both",
        top=arguments.top or 20,
        titles=titles,
    )
    saving.save(drawn, arguments.output, "--output")


def _animate(maps, output):
    if len(maps) > 1 or len(maps[0].queries) > 1:
        terminal.say(
            flags.PROGRAM,
            "an animation shows one map: the first query of the last block, "
            f"{maps[-1].block}; choose another by --block",
        )
    visualize.animate(maps[-1], output)
