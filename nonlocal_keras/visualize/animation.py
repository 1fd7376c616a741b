"""A map over a clip as it plays, in a GIF or a video."""

import numpy as np

from nonlocal_keras import optional
from nonlocal_keras.layers import arguments
from nonlocal_keras.visualize import figures
from nonlocal_keras.visualize import panels
from nonlocal_keras.visualize import saving
from nonlocal_keras.visualize.measures import measure
from nonlocal_keras.visualize.measures import own_key

SUFFIXES = (".gif", ".mp4")


def animate(attention, path, query=0, fps=4):
    """Writes a clip as it plays, with the weights of a query over it.

    The frame of the query stands on the left, with its cell; on the right the
    frames of the clip pass under their weights.

    Example:

    >>> model = zoo.load("nl_c2d_tiny_longrange")
    >>> clip = nonlocal_keras.visualize.read_clip("clip.mp4", model)
    >>> *_, last = nonlocal_keras.visualize.attention(model, clip)
    >>> nonlocal_keras.visualize.animate(last, "look.gif")

    Args:
        attention: An `Attention` of a clip.
        path: String or path of the file to write, `.gif` or `.mp4`.
        query: Integer, which of its queries. Defaults to `0`.
        fps: Integer, frames of the clip per second. Defaults to `4`.

    Raises:
        ValueError: If the map is not of a clip, or the suffix is another one,
            or `query` or `fps` is outside its rule.
        ImportError: If matplotlib or Pillow is not installed.
    """
    suffix = saving.check_suffix(path, suffixes=SUFFIXES)
    if attention.clip.frames is None:
        raise ValueError(
            "`attention` must be of a clip, whose frames play; draw others by "
            f"figure(). Received: a map over {attention.clip.name}"
        )
    arguments.check_positive_int("fps", fps)
    if query not in range(len(attention.queries)):
        raise ValueError(
            f"`query` must be one of {len(attention.queries)}, counted from "
            f"0. Received: query={query!r}"
        )
    pictures = [
        _drawn(attention, query, frame)
        for frame in range(len(attention.clip.frames))
    ]
    write = _write_gif if suffix == ".gif" else _write_video
    with saving.replaced(path) as whole:
        write(whole, pictures, fps)


def _drawn(attention, query, frame):
    """Draws one frame, an RGB array `(height, width, 3)` of even sizes."""
    matplotlib = optional.load("matplotlib.figure", "an animation")
    agg = optional.load("matplotlib.backends.backend_agg", "an animation")
    height, width = panels.extent(attention)
    side = 3.0 * min(width / height, 2.0)
    drawn = matplotlib.Figure(
        figsize=(2 * side + 0.3, 4.0), dpi=100, layout="constrained"
    )
    canvas = agg.FigureCanvasAgg(drawn)
    left, right = drawn.subplots(1, 2)
    own = figures.frame_of(attention, own_key(attention, query)[0])
    numbers = attention.clip.frames
    panels.draw_picture(left, attention, own)
    panels.draw_query(left, attention, query)
    left.set_title(f"query, frame {numbers[own]}", fontsize=9)
    slot = _slot(attention, frame)
    panels.draw_picture(right, attention, frame, gray=True)
    most = float(np.abs(attention.weights[query]).max())
    panels.draw_heat(right, attention, query, slot, most)
    share = np.abs(attention.weights[query][slot]).sum()
    share /= np.abs(attention.weights[query]).sum() or 1.0
    right.set_title(
        f"frame {numbers[frame]}: {share:.0%} of the weight", fontsize=9
    )
    lines = measure(attention, query).lines()
    name = figures.short_title(attention.block)
    drawn.supxlabel(
        f"{name}: {'; '.join(lines[1:])}", fontsize=7, parse_math=False
    )
    canvas.draw()
    picture = np.asarray(canvas.buffer_rgba())[..., :3]
    # Encoders take even sizes.
    return picture[: len(picture) // 2 * 2, : picture.shape[1] // 2 * 2].copy()


def _slot(attention, frame):
    """Returns the keys along the frames whose cell holds a frame."""
    cells = attention.key_cells[0]
    distance = np.maximum(cells[:, 0] - frame - 0.5, frame + 0.5 - cells[:, 1])
    return int(distance.argmin())


def _write_gif(path, pictures, fps):
    pillow = optional.load("PIL.Image", "a GIF")
    first, *rest = [pillow.fromarray(picture) for picture in pictures]
    first.save(
        path,
        save_all=True,
        append_images=rest,
        duration=round(1000 / fps),
        loop=0,
    )


def _write_video(path, pictures, fps):
    import av

    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
