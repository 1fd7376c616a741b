"""Small video files for tests."""

import av
import numpy as np


def write_video(path, frames=12, height=36, width=48, value=None):
    """Writes an H.264 file whose frame `i` is a grey of `8 * i`, or `value`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": "1"}
        for index in range(frames):
            grey = 8 * index if value is None else value
            image = np.full((height, width, 3), grey, "uint8")
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_classes(root, classes=("a", "b"), each=3, **options):
    """Writes `each` videos per class in Kinetics layout."""
    for position, name in enumerate(classes):
        for index in range(each):
            write_video(
                root / name / f"{index}.mp4",
                value=40 + 120 * position,
                **options,
            )
    return root


def truncate(path, keep=0.5):
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
