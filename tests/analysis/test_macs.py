"""Parameters and multiply-adds of the published models, to the last weight.

The tables were computed from the layer tables of the paper and of the
authors' release, not by this package.
"""

import functools

import keras
import numpy as np
import pytest

import nonlocal_keras
from nonlocal_keras import models
from nonlocal_keras.analysis import macs
from nonlocal_keras.layers import initialization
from nonlocal_keras.models import VideoClassifier
from nonlocal_keras.models import VideoResNet
from nonlocal_keras.models import video_resnet
from tests.support.marks import mostly_slow

# strides of conv1; size and strides of pool1; frames
ORG = (2, 2, 2), (2, 3, 3), (2, 2, 2), 32
FAST = (1, 2, 2), (1, 3, 3), (1, 2, 2), 8


def classifier(
    architecture, depth, non_local=None, family="vnl_32x2", **options
):
    """A model for 400 classes; drawing weights takes longer than counting."""
    options = {"kernel_initializer": "zeros", **options} if non_local else None
    backbone = video_resnet(
        architecture,
        depth,
        non_local,
        options,
        family,
        kernel_initializer="zeros",
    )
    return VideoClassifier(backbone, 400)


@functools.cache
def measure(architecture, depth, non_local=None):
    """`(weights only, parameters)`, and MACs by `(stem, padding, size)`.

    Strides and windows have no weights: one model serves all stems.
    """
    model = classifier(architecture, depth, non_local)
    conv1 = model.backbone.get_layer("conv1")
    pool1 = model.backbone.get_layer("pool1")
    giga = {}
    for stem in (ORG, FAST):
        conv1.strides, pool1.pool_size, pool1.strides, frames = stem
        for padding in (0, 1):
            pool1.padding = (0, padding, padding)
            for size in (224, 256):
                shape = (frames, size, size, 3)
                cost = macs.total(macs.count(model, shape))
                giga[stem, padding, size] = cost.macs / 1e9
    return (cost.weights_only, cost.parameters), giga


PARAMETERS = {
    ("c2d", 50, None): (24_274_112, 24_327_632),
    ("c2d", 50, 1): (26_371_264, 26_429_392),
    ("c2d", 50, 5): (31_614_144, 31_686_096),
    ("c2d", 50, 10): (38_954_176, 39_044_560),
    ("i3d", 50, None): (27_989_952, 28_043_472),
    ("i3d", 50, 1): (30_087_104, 30_145_232),
    ("i3d", 50, 5): (35_329_984, 35_401_936),
    ("i3d", 50, 10): (42_670_016, 42_760_400),
    ("i3d_3x3x3", 50, None): (33_380_288, 33_433_808),
    ("c2d", 101, None): (43_214_016, 43_319_760),
    ("c2d", 101, 1): (45_311_168, 45_421_520),
    ("c2d", 101, 5): (50_554_048, 50_678_224),
    ("c2d", 101, 10): (57_894_080, 58_036_688),
    ("i3d", 101, None): (51_648_448, 51_754_192),
    ("i3d", 101, 1): (53_745_600, 53_855_952),
    ("i3d", 101, 5): (58_988_480, 59_112_656),
    ("i3d", 101, 10): (66_328_512, 66_471_120),
    ("i3d_3x3x3", 101, None): (62_937_024, 63_042_768),
}

# Pool1 without and with padding: 32 frames at 224 and 256, 8 frames likewise.
GIGA_MACS = {
    ("c2d", 50, None): "20.23/20.44 26.46/26.69 19.29/19.49 25.23/25.46",
    ("c2d", 50, 1): "21.42/21.62 28.07/28.30 20.47/20.68 26.84/27.07",
    ("c2d", 50, 5): "28.36/28.57 38.27/38.50 27.42/27.62 37.04/37.27",
    ("c2d", 50, 10): "36.49/36.69 50.08/50.32 35.54/35.75 48.85/49.08",
    ("i3d", 50, None): "32.83/33.13 42.93/43.27 28.11/28.41 36.76/37.10",
    ("i3d", 50, 5): "40.96/41.26 54.74/55.08 36.24/36.54 48.57/48.91",
    ("i3d", 50, 10): "49.09/49.38 66.55/66.89 44.36/44.66 60.38/60.73",
    ("i3d_3x3x3", 50, None): "38.69/39.09 50.60/51.05 33.97/34.37 44.43/44.89",
    ("c2d", 101, None): "35.08/35.29 45.85/46.09 34.14/34.34 44.62/44.85",
    ("c2d", 101, 5): "43.21/43.41 57.67/57.90 42.27/42.47 56.43/56.67",
    ("i3d", 101, None): "51.38/51.68 67.15/67.50 46.66/46.96 60.99/61.33",
    ("i3d", 101, 5): "59.51/59.80 78.97/79.31 54.79/55.08 72.80/73.14",
    ("i3d_3x3x3", 101, None): (
        "61.86/62.26 80.86/81.32 57.14/57.54 74.70/75.15"
    ),
}


def name_of(row):
    architecture, depth, non_local = row
    return f"{architecture}_r{depth}" + (f"_nl{non_local}" if non_local else "")


def rows():
    """The others take as long again and add little."""
    fast = (("c2d", 50, 1), ("i3d", 50, 10), ("i3d", 101, 5))
    for row in PARAMETERS:
        slow = row not in fast
        marks = pytest.mark.slow if slow else ()
        yield pytest.param(row, marks=marks, id=name_of(row))


@pytest.mark.parametrize("row", list(rows()))
def test_parameters_to_the_last_weight_and_macs_to_two_digits(row):
    parameters, giga = measure(*row)
    assert parameters == PARAMETERS[row]
    got = " ".join(
        "/".join(f"{giga[stem, padding, size]:.2f}" for padding in (0, 1))
        for stem in (ORG, FAST)
        for size in (224, 256)
    )
    assert got == GIGA_MACS.get(row, got)


@pytest.mark.slow
@pytest.mark.parametrize(
    "row, macs_ratio, weights_ratio",
    [
        (("i3d", 101, None), 1.5, 1.2),
        (("i3d_3x3x3", 101, None), 1.8, 1.5),
        (("c2d", 101, 5), 1.2, 1.2),
    ],
)
def test_ratios_of_table_2e(row, macs_ratio, weights_ratio):
    place = ORG, 0, 224
    (weights, _), giga = measure(*row)
    (base_weights, _), base = measure("c2d", 101)
    assert round(giga[place] / base[place], 1) == macs_ratio
    assert round(weights / base_weights, 1) == weights_ratio


def test_five_blocks_cost_less_than_a_deeper_network():
    """Section 5.1: 70% of the parameters, 80% of the MACs of the ResNet-101."""
    place = ORG, 0, 224
    (weights, _), giga = measure("c2d", 50, 5)
    (deep_weights, _), deep = measure("c2d", 101)
    assert round(weights / deep_weights, 2) == 0.73
    assert round(giga[place] / deep[place], 2) == 0.81


@pytest.mark.parametrize(
    "family, options, expected",
    [
        # Frozen scale and offset, no normalization in the blocks.
        ("vnl_128x1", {}, (35_329_984, 35_393_744)),
        # W_z without a bias; the published table of mmaction2 agrees.
        ("mmaction2", {}, (35_329_984, 35_397_840)),
        ("mmaction2", {"pairwise": "dot_product"}, (35_329_984, 35_397_840)),
        ("mmaction2", {"pairwise": "gaussian"}, (31_659_968, 31_723_728)),
        ("gluoncv", {}, (35_329_984, 35_401_936)),
        ("pyslowfast", {}, (35_329_984, 35_401_936)),
    ],
)
def test_parameters_of_the_families(family, options, expected):
    model = classifier("i3d", 50, 5, family, **options)
    cost = macs.total(macs.count(model))
    assert (cost.weights_only, cost.parameters) == expected


@pytest.mark.parametrize(
    "family, options, missing",
    [
        ("tsm", {}, 0),
        # W_z without a bias, on twice 512 and three times 1024 channels.
        ("mmaction2_tsm", {}, 4096),
        ("mmaction2_tsm", {"pairwise": "dot_product", "scale": None}, 4096),
    ],
)
def test_temporal_shift_has_no_parameters(family, options, missing):
    places = {"res3": (0, 2), "res4": (0, 2, 4)}
    model = classifier("c2d", 50, places, family, **options)
    cost = macs.total(macs.count(model))
    weights_only, parameters = PARAMETERS["c2d", 50, 5]
    # mmaction2 publishes 31.68 M.
    assert cost.weights_only == weights_only
    assert cost.parameters == parameters - missing


@pytest.mark.parametrize(
    "family, non_local, options, expected",
    [
        ("vnl_128x1", None, {}, 131.3),
        ("vnl_128x1", 5, {}, 169.5),
        ("vnl_128x1", 5, {"res3": {"frame_groups": 1}}, 199.7),
        ("vnl_32x4", 5, {}, 150.6),
        ("gluoncv", 5, {}, 53.3),
        ("gluoncv", 10, {}, 73.5),
    ],
)
def test_giga_macs_of_the_families(family, non_local, options, expected):
    model = classifier("i3d", 50, non_local, family, **options)
    cost = macs.total(macs.count(model))
    assert round(cost.macs / 1e9, 1) == expected


# === One layer ===


def one(layer, *shape):
    inputs = keras.Input(shape)
    (cost,) = macs.count(keras.Model(inputs, layer(inputs)))
    return cost


@pytest.mark.parametrize(
    "options, expected",
    [
        # theta, phi, g and W_z on 96 positions, twice 96 x 96 pairs.
        ({}, 4 * 96 * 8 + 2 * 96 * 96 * 2),
        # The same, with 24 keys.
        ({"pool_size": (1, 2, 2)}, 4 * 96 * 8 + 2 * 96 * 24 * 2),
        # phi and g on 24 positions only.
        (
            {"pool_size": (1, 2, 2), "pool_first": True},
            2 * 96 * 8 + 2 * 24 * 8 + 2 * 96 * 24 * 2,
        ),
        # No theta and phi; products of all 4 channels.
        ({"pairwise": "gaussian"}, 2 * 96 * 8 + 96 * 96 * (4 + 2)),
        # w_f on each query and each key, once.
        (
            {"pairwise": "concatenation"},
            4 * 96 * 8 + 2 * 96 * 2 + 96 * 96 * 2,
        ),
        # Two frames of 48 positions.
        ({"attend_axes": "space"}, 4 * 96 * 8 + 2 * 2 * 48 * 48 * 2),
        ({"frame_groups": 2}, 4 * 96 * 8 + 2 * 2 * 48 * 48 * 2),
        ({"intermediate_dim": 3}, 4 * 96 * 12 + 2 * 96 * 96 * 3),
    ],
    ids=str,
)
def test_non_local_block_by_hand(options, expected):
    cost = one(nonlocal_keras.NonLocal3D(**options), 2, 6, 8, 4)
    assert cost.macs == expected


def test_non_local_block_of_channels_first():
    layer = nonlocal_keras.NonLocal2D(data_format="channels_first")
    assert one(layer, 4, 6, 8).macs == 4 * 48 * 8 + 2 * 48 * 48 * 2


@pytest.mark.parametrize(
    "layer, shape, expected",
    [
        (keras.layers.Dense(5), (7,), 7 * 5),
        (keras.layers.Dense(5), (3, 7), 3 * 7 * 5),
        (keras.layers.Conv1D(5, 3), (9, 4), 7 * 3 * 4 * 5),
        (keras.layers.Conv2D(6, 3, groups=2), (6, 8, 4), 24 * 9 * 2 * 6),
        (keras.layers.Conv3D(5, 1, strides=2), (2, 6, 8, 4), 12 * 4 * 5),
        # Every input value is spread over nine places of five channels.
        (keras.layers.Conv2DTranspose(5, 3), (6, 8, 4), 48 * 4 * 9 * 5),
        (keras.layers.EinsumDense("bhc,hcd->bd", 5), (6, 4), 6 * 4 * 5),
        (keras.layers.ReLU(), (6, 8, 4), 0),
        (keras.layers.BatchNormalization(), (6, 8, 4), 0),
    ],
    ids=str,
)
def test_layers_of_keras_by_hand(layer, shape, expected):
    assert one(layer, *shape).macs == expected


def test_channels_first_costs_the_same():
    layer = keras.layers.Conv2D(5, 3, data_format="channels_first")
    assert one(layer, 4, 6, 8).macs == 24 * 9 * 4 * 5


def test_statistics_are_no_parameters_and_biases_no_weights():
    norm = one(keras.layers.BatchNormalization(), 6, 8, 4)
    assert (norm.parameters, norm.weights_only) == (8, 0)
    conv = one(keras.layers.Conv2D(5, 3), 6, 8, 4)
    assert (conv.parameters, conv.weights_only) == (9 * 4 * 5 + 5, 9 * 4 * 5)


# === Models ===


def test_costs_come_layer_by_layer_under_their_names():
    backbone = VideoResNet((4, 32, 32, 3), (1, 1, 1, 1), stem_width=2)
    model = VideoClassifier(backbone, 5)
    costs = macs.count(model)
    names = [cost.name for cost in costs]
    assert {"conv1", "res2_0_branch2a", "pool5", "pred"} <= set(names)
    counted = sum(cost.parameters for cost in costs)
    statistics = sum(
        np.prod(w.shape) for w in model.weights if "moving" in w.name
    )
    assert counted == model.count_params() - statistics


def test_clip_size_is_free_for_models_of_unknown_size():
    small = {"stage_blocks": (1, 1, 1, 1), "stem_width": 2}
    free = VideoResNet((None, None, None, 3), **small)
    fixed = VideoResNet((8, 64, 32, 3), **small)
    assert macs.count(free, (8, 64, 32, 3)) == macs.count(fixed)


def test_shared_layer_is_computed_twice_and_stored_once():
    dense = keras.layers.Dense(4)
    inputs = keras.Input((4,))
    cost = macs.total(macs.count(keras.Model(inputs, dense(dense(inputs)))))
    assert (cost.macs, cost.weights_only) == (32, 16)


def test_layers_that_another_model_uses_as_well():
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(3)
    keras.Model(inputs, hidden(inputs))
    other = keras.Input((4,))
    assert macs.total(macs.count(keras.Model(other, hidden(other)))).macs == 12


def test_sequential_model():
    model = keras.Sequential([keras.Input((7,)), keras.layers.Dense(5)])
    assert macs.total(macs.count(model)).macs == 35


def test_unknown_sizes_must_be_given():
    inputs = keras.Input((None, 8, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(4, 1)(inputs))
    with pytest.raises(ValueError) as error:
        macs.count(model)
    assert "`input_shape` must be given for a model with unknown sizes" in str(
        error.value
    )
    assert "Received: (None, 8, 3)" in str(error.value)


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.DepthwiseConv2D(3, name="other"),
        keras.layers.SeparableConv2D(4, 3, name="other"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_other_kernels_are_an_error_and_not_zero(layer):
    with pytest.raises(ValueError) as error:
        one(layer, 6, 8, 4)
    assert "convolutions, dense and non-local layers" in str(error.value)
    assert f"{type(layer).__name__}: 'other'" in str(error.value)


# === Detectors ===


@mostly_slow(
    pytest.mark.parametrize(
        "kind, giga, parameters",
        # What torchvision 0.28 publishes with its files: of a square image of
        # 800 pixels in which nothing is found, and without the frozen
        # normalizations.
        [
            ("faster", 134.38, 41_755_286),
            ("mask", 134.38, 44_401_393),
            ("keypoint", 133.924, 59_137_258),
        ],
    ),
    1,
)
def test_detectors_cost_what_torchvision_says(kind, giga, parameters):
    with initialization.no_random_weights():
        model = models.from_name(f"{kind}_rcnn_r50_fpn")
    costs = macs.count(model, {"images": (800, 800, 3)})
    of_found = [c.macs for c in costs if c.name.startswith(("mask_", "keyp"))]
    total = macs.total(costs)
    assert abs((total.macs - sum(of_found)) / 1e9 - giga) < 5e-4
    # Scale and offset of 53 normalizations, on 26,560 channels.
    assert total.parameters - 2 * 26_560 == parameters


def test_what_a_detector_computes_of_a_box_counts_for_all_of_them():
    def count(post_nms_top_n, detections_per_image):
        backbone = models.ImageResNet(stage_blocks=(1,) * 4, width_per_group=2)
        model = models.MaskRCNN(
            backbone,
            num_classes=3,
            fpn_filters=4,
            box_units=6,
            mask_filters=(5,),
            post_nms_top_n=post_nms_top_n,
            detections_per_image=detections_per_image,
        )
        costs = macs.count(model, {"images": (64, 96, 3)})
        return {cost.name: cost.macs for cost in costs}

    few, more = count(10, 5), count(20, 5)
    assert few["box_fc6"] == 10 * 7 * 7 * 4 * 6
    assert more["box_fc6"] == 2 * few["box_fc6"]
    assert few["mask_conv1"] == more["mask_conv1"] == 5 * 14 * 14 * 9 * 4 * 5
    assert few["mask_deconv"] == 5 * 14 * 14 * 4 * 5 * 5


def test_shapes_of_several_inputs_are_given_by_name():
    a, b = keras.Input((None,), name="a"), keras.Input((3,), name="b")
    outputs = [keras.layers.Dense(5)(b), keras.layers.Concatenate()([a, b])]
    model = keras.Model([a, b], outputs)
    assert macs.total(macs.count(model, {"a": (7,)})).macs == 15
    with pytest.raises(ValueError) as error:
        macs.count(model, (7,))
    message = "a dictionary of shapes by names out of ['a', 'b']. Received: "
    assert message in str(error.value)


@pytest.mark.parametrize("pooling", ["attention", "average"])
def test_global_context_blocks_are_counted(pooling):
    inputs = keras.Input((6, 8, 32))
    block = nonlocal_keras.GlobalContext2D(ratio=4, pooling=pooling)
    cost = macs.total(macs.count(keras.Model(inputs, block(inputs))))
    # To a bottleneck of 8 and back, once; for each position a logit and its
    # part of the mean.
    attention = 2 * 6 * 8 * 32 if pooling == "attention" else 0
    assert cost.macs == 2 * 32 * 8 + attention
