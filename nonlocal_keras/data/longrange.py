"""A video benchmark that no local network can solve, rendered on first use.

In the first frames a badge appears, a coloured ring around a core. It leaves,
blobs pass, and at the end a badge comes back elsewhere. The label says whether
its ring has the `same` colour as the first one or a `different` one.

Why it takes a long-range relation:

- No neighbourhood in space-time holds both badges: frames without either lie
  between them, and their places are independent.
- The colour of the first ring is uniform, and so is that of the second; each
  alone says nothing of the label.
- A sum over places of local features, which is what global pooling and a
  linear classifier see, gives the logit "something of the first badge plus
  something of the second". Cross entropy is convex in these two tables, and
  the data do not change when colours are renamed, so that the best such model
  has constant tables: it guesses.

The core is a decoy: it keeps or changes its colour independently of the ring.
Shapes, sizes, places, shades, motion, background, noise, blobs and the times
of change vary. Training, validation and test clips come from disjoint ranges
of seeds.
"""

import colorsys
import os
import pathlib

import numpy as np

from nonlocal_keras.data import painting
from nonlocal_keras.data import rendered_folder

NAME = "longrange"
VERSION = 1
FRAMES = 16
SIZE = 36
FPS = 8
CLASSES = ("different", "same")
SIZES = {"train": 6000, "val": 500, "test": 2000}

# Hues of the ring colours, in turns of the colour circle. A ring is painted
# with a deviation that now and then takes it past the middle between two of
# them: no model can be right on all clips.
_HUES = (0.0, 0.25, 0.5, 0.75)
_HUE_DEVIATION = 20 / 360
_CORES = np.array(
    [
        (0.97, 0.97, 0.97),  # white
        (0.02, 0.02, 0.02),  # black
        (0.10, 0.85, 0.90),  # cyan
        (1.00, 0.50, 0.05),  # orange
    ],
    "float32",
)
_FIRST_SEED = {"train": 0, "val": 1_000_000_000, "test": 2_000_000_000}
# Pixel centres along one axis.
_GRID = np.arange(SIZE, dtype="float32") + 0.5


def draw_relation(seed):
    """Draws what a clip is about.

    Args:
        seed: Integer.

    Returns:
        Tuple `(rings, cores)` of two pairs of indices of colours, of the
        first and of the second badge. The label is `rings[0] == rings[1]`.
    """
    rng = np.random.default_rng([seed, 0])
    return _pair(rng, len(_HUES)), _pair(rng, len(_CORES))


def _pair(rng, colours):
    """Draws two colours, equal in half of the cases, each uniform."""
    first = int(rng.integers(colours))
    if rng.integers(2):
        return first, first
    return first, int(first + rng.integers(1, colours)) % colours


def draw_clip(seed, relation=None):
    """Draws one clip.

    Example:

    >>> frames, label = nonlocal_keras.data.longrange.draw_clip(7)
    >>> frames.shape, frames.dtype
    ((16, 36, 36, 3), dtype('uint8'))

    Args:
        seed: Integer; the same seed gives the same clip.
        relation: Tuple as `draw_relation` returns it, to draw another
            relation with the same places, shades and noise. `None` for that
            of `seed`. Defaults to `None`.

    Returns:
        Tuple of the frames, uint8 `(16, 36, 36, 3)`, and the label, an index
        into `CLASSES`.
    """
    rings, cores = relation or draw_relation(seed)
    rng = np.random.default_rng([seed, 1])
    leaves = int(rng.integers(6, 8))
    comes_back = int(rng.integers(11, 13))
    frames = np.repeat(_background(rng)[None], FRAMES, axis=0)
    _badge(rng, frames[:leaves], _HUES[rings[0]], _CORES[cores[0]])
    for _ in range(3):
        _blob(rng, frames[leaves:comes_back])
    _badge(rng, frames[comes_back:], _HUES[rings[1]], _CORES[cores[1]])
    frames *= rng.uniform(0.8, 1.1)
    frames += 0.06 * rng.standard_normal(frames.shape, dtype="float32")
    frames = (np.clip(frames, 0.0, 1.0) * 255 + 0.5).astype("uint8")
    return frames, int(rings[0] == rings[1])


def render(root, sizes=None, workers=None):
    """Renders the data set into class folders of H.264 files.

    A second call returns at once; a call that was cut short goes on.

    Example:

    >>> nonlocal_keras.data.longrange.render(
    ...     "data/longrange", {"train": 4, "val": 2, "test": 2}, workers=1
    ... )

    Args:
        root: String or path: files go to `root/{split}/{class}/{seed}.mp4`.
        sizes: Dictionary with the numbers of `"train"`, `"val"` and `"test"`
            clips. `None` for 6000, 500 and 2000. Defaults to `None`.
        workers: Integer, number of processes. `None` for all processors.
            Defaults to `None`.

    Raises:
        ValueError: If `root` holds another version or other sizes, or files
            that are not of this data set.
    """
    root, sizes = pathlib.Path(root), dict(sizes or SIZES)
    rendered_folder.require_sizes(sizes)
    description = {
        "name": NAME,
        "version": VERSION,
        "sizes": sizes,
        "classes": list(CLASSES),
        "frames": FRAMES,
        "size": SIZE,
        "fps": FPS,
    }
    require_own(root)
    if rendered_folder.begin(root, description):
        return
    for split in sizes:
        for name in CLASSES:
            (root / split / name).mkdir(parents=True, exist_ok=True)
    jobs = [
        (str(root), split, _FIRST_SEED[split] + i)
        for split, number in sizes.items()
        for i in range(number)
    ]
    rendered_folder.run(_render_one, jobs, workers)
    rendered_folder.end(root)


def require_own(root):
    """Refuses a folder unless it is empty, missing or rendered by `render`.

    Args:
        root: A `pathlib.Path` of the folder.

    Raises:
        ValueError: If files of others lie in the folder.
    """
    rendered_folder.require_own(
        root,
        NAME,
        {split: CLASSES for split in SIZES},
        "To train on videos of your own, name a recipe: train.py "
        f"--experiment=small --data={root}",
    )


def _render_one(job):
    root, split, seed = job
    rings, _ = draw_relation(seed)
    name = CLASSES[rings[0] == rings[1]]
    path = pathlib.Path(root, split, name, f"{seed:010d}.mp4")
    if not path.exists():
        _write(path, draw_clip(seed)[0])


def _write(path, frames):
    import av  # Slow to import, and only rendering and reading need it.

    partial = path.with_suffix(f".{os.getpid()}.partial")
    with av.open(str(partial), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width = stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        # Slower presets decide by the clock, and encode a clip in many ways.
        stream.options = {"crf": "18", "preset": "ultrafast"}
        stream.thread_count = 1
        for frame in frames:
            frame = av.VideoFrame.from_ndarray(frame, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    os.replace(partial, path)


# === Painting, on frames of floats between 0 and 1 ===


def _background(rng):
    grey = 0.12 * painting.smooth_map(rng, SIZE, SIZE, 5, 1)
    tint = 0.06 * painting.smooth_map(rng, SIZE, SIZE, 4, 3)
    return (rng.uniform(0.1, 0.4) + grey + tint).astype("float32")


def _badge(rng, frames, hue, core):
    """Paints a badge that moves a little from frame to frame."""
    radius, inner = rng.uniform(6.5, 9.0), rng.uniform(0.5, 0.6)
    time = np.arange(len(frames), dtype="float32")[:, None] - len(frames) / 2
    centre = rng.uniform(radius + 1, SIZE - radius - 1, 2)
    centre = centre + rng.uniform(-0.3, 0.3, 2) * time  # (T, 2)
    distance = _distance(rng, centre.astype("float32"), radius)
    painting.blend(frames, (1.0 - distance) * radius + 0.5, _colour(rng, hue))
    painting.blend(frames, (inner - distance) * radius + 0.5, _shade(rng, core))


def _distance(rng, centre, radius):
    """Returns distances to the centre (T, H, W), 1 on the outline."""
    x = (_GRID[None, None, :] - centre[:, 0, None, None]) / radius
    y = (_GRID[None, :, None] - centre[:, 1, None, None]) / radius
    angle = rng.uniform(0, np.pi)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    x, y = cos * x + sin * y, cos * y - sin * x
    outline = rng.integers(4)
    if outline == 0:  # Disc
        return np.sqrt(x * x + y * y)
    if outline == 1:  # Square
        return 1.15 * np.maximum(np.abs(x), np.abs(y))
    if outline == 2:  # Hexagon
        slants = np.abs(0.5 * x + 0.866 * y), np.abs(0.5 * x - 0.866 * y)
        return 1.05 * np.maximum(np.abs(x), np.maximum(*slants))
    return np.sqrt((1.25 * x) ** 2 + (0.95 * y) ** 2)  # Ellipse


def _blob(rng, frames):
    """Paints a soft, dull blob that drifts through the frames."""
    time = np.arange(len(frames), dtype="float32")[:, None]
    speed = rng.uniform(-1.2, 1.2, 2)
    centre = (rng.uniform(6, SIZE - 6, 2) + speed * time).astype("float32")
    x = _GRID[None, None, :] - centre[:, 0, None, None]
    y = _GRID[None, :, None] - centre[:, 1, None, None]
    radius = np.float32(rng.uniform(2.5, 6.0))
    cover = 0.8 * np.exp(-(x * x + y * y) / radius**2)
    rgb = rng.uniform(0.25, 0.75) + rng.uniform(-0.12, 0.12, 3)
    painting.blend(frames, cover, rgb.astype("float32"))


def _colour(rng, hue):
    hue = (hue + rng.normal(0, _HUE_DEVIATION)) % 1.0
    saturation, value = rng.uniform(0.75, 1.0, 2)
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value), "float32")


def _shade(rng, rgb):
    shaded = rgb * rng.uniform(0.75, 1.0) + rng.normal(0, 0.04, 3)
    return np.clip(shaded, 0.0, 1.0).astype("float32")
