"""Detectors as LiteRT and ONNX files, and what runs these.

`nonlocal_keras.export.to_litert` and `to_onnx` are what users call to write
them. A file takes uint8 images and gives objects in their pixels: the whole of
`MaskRCNN.predict` but for masks of the size of the image, which `load_detector`
draws.
"""

import pathlib

import numpy as np

from nonlocal_keras.export import deployment
from nonlocal_keras.export import detector_graph
from nonlocal_keras.export import detector_parity
from nonlocal_keras.export import image_pixels
from nonlocal_keras.export import litert_file
from nonlocal_keras.export import onnx_file
from nonlocal_keras.export.detectors import check_labels
from nonlocal_keras.export.parity import ExportError
from nonlocal_keras.export.parity import check_tolerance
from nonlocal_keras.models import paste_masks
from nonlocal_keras.models.detection import preprocessing

_SUFFIXES = (".tflite", ".onnx")
# Names of the axes that are free in an ONNX file.
_AXES = ("batch", "height", "width")


def to_litert(model, path, images=None, shape=None, tolerance=None):
    """Writes a LiteRT file; the arguments are those of `export.to_litert`."""
    tolerance = _check(model, path, tolerance)
    if shape is None and images is not None:
        shape = images[0].shape[:2]
    shape = _check_shape(shape, images)
    if images is None:
        images = detector_parity.draw_images([shape, shape])
    spec = ((1, *shape, 3), "uint8", "images")
    fast = detector_graph.prepare(model)
    content = litert_file.convert(fast, _function(fast, *spec))
    labels = "\n".join(check_labels(model)) + "\n"
    return deployment.write_compared(
        path,
        content,
        litert_file.count_operators(content),
        lambda file: _compare(model, litert_runner(file), images, tolerance),
        [(pathlib.Path(path).with_suffix(".labels.txt"), labels)],
    )


def to_onnx(model, path, images=None, tolerance=None):
    """Writes an ONNX file; the arguments are those of `export.to_onnx`."""
    import tensorflow as tf

    library, tf2onnx = onnx_file.libraries()
    tolerance = _check(model, path, tolerance)
    if images is None:
        images = detector_parity.draw_images()
    spec = ((None, None, None, 3), "uint8", "images")
    fast = detector_graph.prepare(model)
    graph, _ = tf2onnx.convert.from_function(
        _function(fast, *spec),
        input_signature=[tf.TensorSpec(*spec)],
        opset=onnx_file.OPSET,
    )
    operators = onnx_file.count_operators(graph)
    (given,) = graph.graph.input
    for name, axis in zip(_AXES, given.type.tensor_type.shape.dim):
        axis.dim_param = name
    for value in graph.graph.output:
        value.type.tensor_type.shape.dim[0].dim_param = _AXES[0]
    onnx_file.add_metadata(library, graph, {"labels": check_labels(model)})
    return deployment.write_compared(
        path,
        graph.SerializeToString(),
        operators,
        lambda file: _compare(model, onnx_runner(file), images, tolerance),
    )


def load_detector(path, threads=None):
    """Loads a LiteRT or ONNX file of a detector.

    Example:

    >>> backbone = nonlocal_keras.models.ImageResNet(
    ...     stage_blocks=(1, 1, 1, 1), width_per_group=2
    ... )
    >>> model = nonlocal_keras.models.MaskRCNN(
    ...     backbone,
    ...     num_classes=2,
    ...     masks=False,
    ...     fpn_filters=4,
    ...     box_units=4,
    ...     pre_nms_top_n=8,
    ...     post_nms_top_n=8,
    ...     detections_per_image=4,
    ...     min_size=64,
    ... )
    >>> exported = nonlocal_keras.export.to_litert(
    ...     model, "detector.tflite", shape=(64, 96)
    ... )
    >>> detect = nonlocal_keras.export.load_detector("detector.tflite")
    >>> detect(np.zeros((64, 96, 3), "uint8"))["boxes"].shape
    (1, 4, 4)

    Args:
        path: String or path that ends in `.tflite` or `.onnx`.
        threads: Integer. Defaults to `None`, for what the runtime chooses.

    Returns:
        Function from a uint8 image `(height, width, 3)` to a dictionary, as
        `nonlocal_keras.models.MaskRCNN.predict` gives it for one image.

    Raises:
        ValueError: If the path ends otherwise, or the file cannot be run.
        ImportError: If `ai_edge_litert` or `onnxruntime` is not installed.
    """
    suffix = pathlib.Path(path).suffix.lower()
    if suffix not in _SUFFIXES:
        raise ValueError(
            f"`path` must end in one of {_SUFFIXES}. Received: {path}"
        )
    runner = litert_runner if suffix == ".tflite" else onnx_runner
    run = runner(path, threads)

    def detect(image):
        (image,) = preprocessing.check_images([image])
        if image.dtype != np.uint8:
            raise ValueError(
                f"`image` must be of uint8. Received: an image of {image.dtype}"
            )
        found = run(image[None])
        if "masks" in found:
            number = int(found["num_detections"][0])
            masks, boxes = (found[n][0, :number] for n in ("masks", "boxes"))
            size = image.shape[:2]
            found["masks"] = [paste_masks(masks, boxes, *size)]
        return found

    return detect


def litert_runner(path, threads=None):
    """Loads a LiteRT file; see `load_detector` for whole masks.

    Returns:
        Function from a uint8 array `(1, height, width, 3)` to a dictionary of
        arrays. Images of another shape are a `ValueError`.
    """
    run = litert_file.load(path, threads)
    shape = tuple(run.get_input_details()["images"]["shape"].tolist())

    def detect(images):
        # The runtime would resize its graph, and may answer anything.
        if images.shape != shape:
            raise ValueError(
                f"`image` must be of the shape {shape[1:]}, which is that of "
                f"the file. Received: the shape {images.shape[1:]}"
            )
        return run(images=images)

    return detect


def onnx_runner(path, threads=None):
    """Loads an ONNX file; see `load_detector` for whole masks.

    Returns:
        Function from a uint8 array `(batch, height, width, 3)` to a
        dictionary of arrays.
    """
    session = onnx_file.load(path, threads)
    names = [output.name for output in session.get_outputs()]
    return lambda images: dict(
        zip(names, session.run(names, {"images": images}))
    )


def _function(model, shape, dtype, name):
    """Returns a detector as a function of images with a signature."""
    import tensorflow as tf

    spec = image_pixels.ImageSpec.of(model)

    def function(images):
        given = image_pixels.prepare(images, spec)
        return detector_graph.detect(model, *given, spec.longest)

    return tf.function(
        function,
        input_signature=[tf.TensorSpec(shape, dtype, name)],
        autograph=False,
    )


def _check(model, path, tolerance):
    """Checks what can be before the minutes of a conversion."""
    deployment.check_backend()
    deployment.check_file(path)
    check_labels(model)
    if tolerance is None:
        tolerance = detector_parity.TOLERANCE
    check_tolerance(tolerance)
    return tolerance


def _check_shape(shape, images):
    """Returns the height and width of the images that a file takes."""
    fits = shape is not None and len(shape) == 2
    fits = fits and all(
        isinstance(n, int | np.integer) and n > 0 for n in shape
    )
    if not fits:
        raise ValueError(
            "`shape` must give the height and width of an image, since a "
            "LiteRT file has one shape: shape=(480, 640). Received: "
            f"shape={shape}"
        )
    shape = tuple(map(int, shape))
    for image in images or ():
        if image.shape[:2] != shape:
            raise ValueError(
                "`images` must be of the shape of the file, "
                f"{shape[0]} x {shape[1]}: scale and pad them, as who calls "
                f"the file does. Received: one of {image.shape}"
            )
    return shape


def _compare(model, run, images, tolerance):
    try:
        return detector_parity.compare(model, run, images, tolerance)
    except ExportError:
        raise
    # Runtimes raise errors of many classes, their own ones among them.
    except Exception as error:
        raise ExportError(
            f"The runtime must be able to run the file. It says: {error}"
        ) from error
