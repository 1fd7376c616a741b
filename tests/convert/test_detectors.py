"""Detectors of the other projects: box for box what they find.

The weights of the reference are drawn by their names, there and here.
"""

import pickle

import numpy as np
import pytest

from nonlocal_keras import convert
from nonlocal_keras.convert import ConversionError
from nonlocal_keras.convert import detector_name_maps
from nonlocal_keras.convert import detector_sources
from nonlocal_keras.convert.detector import Context
from nonlocal_keras.convert.detector import Detector
from tests.support import checkpoint_writers as w
from tests.support import detector_pairs as pairs
from tests.support.backends import BACKEND
from tests.support.marks import mostly_slow

pytestmark = [pytest.mark.any_backend]
if BACKEND == "jax":
    pytestmark.append(pytest.mark.slow)  # It compiles for half a minute.

# name of the pair -> source
PAIRS = {
    "detectron2_maskrcnn_r50_drawn": "detectron2",
    "mmdetection_gc_maskrcnn_r50_drawn": "mmdetection",
    "detectron2_keypointrcnn_r50_drawn": "detectron2",
    # Grouped convolutions, and another stride and scale of pixels.
    "detectron2_maskrcnn_x50_drawn": "detectron2",
}


def write(path, source, tensors):
    """A checkpoint as the source writes it."""
    if source == "detectron2":
        tree = {"model": tensors, "__author__": "Detectron2 Model Zoo"}
        path.write_bytes(pickle.dumps(tree))
    elif source == "detectron":
        path.write_bytes(pickle.dumps({"blobs": tensors, "cfg": "MODEL:"}))
    else:
        path.write_bytes(w.torch_file(tensors, wrapper="state_dict"))
    return path


@mostly_slow(pytest.mark.parametrize("name", PAIRS), 0, 1)
def test_detections_are_those_of_the_project(name, tmp_path):
    arrays, source = pairs.load(name), PAIRS[name]
    tensors = pairs.draw_tensors(arrays)
    path = write(tmp_path / "file.pth", source, tensors)
    model, report = convert.convert(path, source, **pairs.SETTINGS)
    if BACKEND == "tensorflow":
        model.run_eagerly = True
    pairs.check(model.predict(pairs.images_of(arrays)), arrays)
    used = [entry.note for entry in report.with_status("used")]
    assert report.warnings == report.fresh == []
    assert len(set(used)) == len(used) == len(tensors) == len(model.weights)


# A detector whose file is small, with other numbers than the usual ones.
DETECTOR = Detector(
    stage_blocks=(1, 1, 1, 1),
    groups=1,
    width_per_group=1,
    fpn_filters=3,
    anchors=3,
    box_units=(5, 6),
    num_classes=4,
    mask_filters=(2,),
    mask_hidden=4,
    keypoint_filters=(),
    num_keypoints=None,
)
CONTEXT = Context(("res3", "res4"), 64, "attention", ("add", "multiply"))
STATISTICS = ("moving_mean", "moving_variance")


def draw_file(name_map, detector=DETECTOR, last=False):
    """The tensors of a file by the weights they become, and by their names."""
    rng = np.random.default_rng(0)
    weights = {}
    for name, shape in detector.shapes().items():
        if name_map is detector_name_maps.DETECTRON and name.endswith(
            STATISTICS
        ):
            continue
        without = {"box_deltas": 4, "mask_logits": 1}
        less = without.get(name.split(".")[0], 0) if last else 0
        weights[name] = rng.uniform(0.5, 1, (shape[0] - less, *shape[1:]))
        weights[name] = weights[name].astype("float32")
    return weights, {name_map.spell(n): x for n, x in weights.items()}


def weight(model, layer, name="kernel"):
    for part in (model, model.backbone, *model.layers):
        names = [found.name for found in getattr(part, "layers", ())]
        if layer in names:
            return getattr(part.get_layer(layer), name)
    raise KeyError(layer)


def test_a_file_of_detectron_is_of_its_conventions(tmp_path):
    weights, tensors = draw_file(detector_name_maps.DETECTRON)
    tensors["conv1_w_momentum"] = np.ones((64, 3, 7, 7), "float32")
    path = write(tmp_path / "model_final.pkl", "detectron", tensors)
    model, report = convert.convert(path, "detectron")
    config = model.get_config()
    assert config["roi_shrink"] == 1 and not config["roi_aligned"]
    assert config["anchor_strides"] == (4, 8, 16, 32, 64)
    # The published means, of BGR from 0 to 255.
    bgr = np.array(config["mean"])[::-1] * 255
    np.testing.assert_allclose(bgr, [102.9801, 115.9465, 122.7717])
    assert model.backbone.get_config()["strided"] == "1x1"
    kernel = weights["conv1.kernel"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(weight(model, "conv1"), kernel[:, :, ::-1])
    # A scale and an offset alone.
    norm = model.backbone.get_layer("res3_0_branch2a_bn")
    assert norm.epsilon == 0 and (np.array(norm.moving_variance) == 1).all()
    assert not np.array(norm.moving_mean).any()
    np.testing.assert_array_equal(
        norm.gamma, weights["res3_0_branch2a_bn.gamma"]
    )
    skipped = report.with_status("skipped")
    assert [e.name for e in skipped if "momentum" in e.note] == [
        "conv1_w_momentum"
    ]


def test_files_of_mmdetection_1_have_the_background_first(tmp_path):
    context = {"context": CONTEXT}
    detector = Detector(**{**vars(DETECTOR), **context})
    weights, tensors = draw_file(detector_name_maps.MMDETECTION_1, detector)
    assert "bbox_head.fc_cls.weight" in tensors
    name = "backbone.layer2.0.context_block.channel_mul_conv.0.weight"
    # As a convolution has it.
    tensors[name] = tensors[name][..., None, None]
    path = write(tmp_path / "caffe.pth", "mmdetection", tensors)
    model, report = convert.convert(path, "mmdetection", bgr=False)
    assert not model.get_config()["roi_aligned"]
    assert model.backbone.global_context == ("res3", "res4")
    block = model.backbone.get_layer("global_context_res3_0")
    assert (block.ratio, block.fusions) == (64, ("add", "multiply"))
    np.testing.assert_array_equal(
        weight(model, "box_class"), weights["box_class.kernel"].T
    )
    np.testing.assert_array_equal(
        weight(model, "conv1"), weights["conv1.kernel"].transpose(2, 3, 1, 0)
    )
    assert "images: RGB, as asked for" in report.notes


@pytest.mark.parametrize(
    "text, bgr", [("to_rgb=True", False), ("bgr_to_rgb=False", True)]
)
def test_the_background_moves_and_the_configuration_tells_colors(
    tmp_path, text, bgr
):
    weights, tensors = draw_file(detector_name_maps.MMDETECTION, last=True)
    path = tmp_path / "any.pth"
    text = f"img_norm_cfg = dict({text})"
    path.write_bytes(w.torch_file(tensors, wrapper="state_dict", cfg=text))
    model, report = convert.convert(path, "mmdetection")
    words = f"images: {'BGR' if bgr else 'RGB'}, from the configuration"
    assert any(note.startswith(words) for note in report.notes)
    assert model.backbone.get_config()["strided"] == ("1x1" if bgr else "3x3")
    last = weights["box_class.bias"]
    found = np.array(weight(model, "box_class", "bias"))
    np.testing.assert_array_equal(found, [last[-1], *last[:-1]])
    deltas = np.array(weight(model, "box_deltas", "bias"))
    np.testing.assert_array_equal(deltas[:4], 0)
    np.testing.assert_array_equal(deltas[4:], weights["box_deltas.bias"])
    masks = np.array(weight(model, "mask_logits", "bias"))
    np.testing.assert_array_equal(masks, [0, *weights["mask_logits.bias"]])


def test_detectron2_files_may_hold_anchors_and_means(tmp_path):
    _, tensors = draw_file(detector_name_maps.DETECTRON2, last=True)
    cells = np.arange(5 * 12, dtype="float32").reshape(5, 3, 4)
    for level, cell in enumerate(cells):
        name = f"proposal_generator.anchor_generator.cell_anchors.{level}"
        tensors[name] = cell
    tensors["pixel_mean"] = np.array([51, 102, 255], "float32")[:, None, None]
    tensors["pixel_std"] = np.full((3, 1, 1), 255, "float32")
    path = write(tmp_path / "file.pkl", "detectron2", tensors)
    model, report = convert.convert(path, "detectron2")
    config = model.get_config()
    np.testing.assert_array_equal(config["anchor_boxes"], cells)
    np.testing.assert_allclose(config["mean"], [1, 0.4, 0.2])
    assert config["std"] == (1, 1, 1)
    assert {"mean, std: from the file", "anchor_boxes: from the file"} <= set(
        report.notes
    )


def test_anchors_of_other_sizes_are_placed_as_in_the_project(tmp_path):
    _, tensors = draw_file(detector_name_maps.DETECTRON2, last=True)
    path = write(tmp_path / "file.pkl", "detectron2", tensors)
    sizes = ((16,), (32,), (64,), (128,), (256,))
    model, _ = convert.convert(path, "detectron2", anchor_sizes=sizes)
    first = model.get_config()["anchor_boxes"][0]
    width, height = 16 * 2**0.5, 16 / 2**0.5
    np.testing.assert_allclose(
        first[0], [-width / 2, -height / 2, width / 2, height / 2]
    )


@pytest.mark.parametrize(
    "place, expected",
    [
        # Of the generators of the projects, of which the last pixels count.
        ("detectron_anchors", [[-22, -10, 25, 13], [-10, -22, 13, 25]]),
        ("rounded_anchors", [[-21, -9, 24, 12], [-9, -21, 12, 24]]),
    ],
)
def test_anchors_are_those_of_the_project(place, expected):
    found = getattr(detector_sources, place)((32,), (0.5, 2.0), 4)
    np.testing.assert_array_equal(found, np.add(expected, [0, 0, 1, 1]))


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"anchor_boxes": 5 * [2 * [(0, 0, 1, 1)]]}, "outputs for, 3"),
        (
            {
                "anchor_boxes": 5 * [3 * [(0, 0, 1, 1)]],
                "anchor_sizes": 5 * [(32,)],
            },
            "Give either the boxes or these",
        ),
        ({"roi_sampling_ratio": 0}, "must be a positive integer or None"),
        ({"bgr": "yes"}, "`bgr` must be True or False"),
    ],
)
def test_wrong_overrides_are_named(tmp_path, overrides, message):
    _, tensors = draw_file(detector_name_maps.DETECTRON2, last=True)
    path = write(tmp_path / "file.pkl", "detectron2", tensors)
    with pytest.raises(ConversionError, match=message):
        convert.convert(path, "detectron2", **overrides)
