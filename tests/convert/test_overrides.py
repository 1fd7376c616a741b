"""An override is taken, contradicted by the file, or of no effect: said."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nonlocal_keras import convert
from nonlocal_keras.convert import ConversionError
from nonlocal_keras.convert import assign
from nonlocal_keras.convert import block_options
from nonlocal_keras.convert import detector_plan
from nonlocal_keras.convert import families
from nonlocal_keras.convert import name_maps
from nonlocal_keras.convert import override_kinds
from nonlocal_keras.convert import plan
from nonlocal_keras.convert.architecture import infer_architecture
from tests.support import checkpoint_names as names
from tests.support import checkpoint_writers as w
from tests.support import paths


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"pairwize": "gaussian"}, "Did you mean 'pairwise'?"),
        ({"family": "gluoncv"}, "`family` of source 'vnl' must be one of"),
        ({"depth": 101}, "`depth` follows from the tensors"),
        ({"architecture": "i3d"}, "which say 'c2d'"),
        ({"non_local": {"res3": (0,)}}, "`non_local` follows from"),
        ({"stem_width": 64}, "`stem_width` follows from"),
        ({"pairwise": "gaussian"}, "('embedded_gaussian', 'dot_product')"),
        ({"pairwise": "softmax"}, "Received: pairwise='softmax'"),
        ({"pairwise": "dot_product", "scale": 0.5}, "`scale` multiplies"),
        ({"pool_size": None, "pool_first": False}, "`pool_first` would"),
        ({"pool_size": {"res5": 2}}, "`pool_size` must be of stages"),
        ({"frame_groups": 3, "frames": 8}, "`frame_groups` must divide"),
        ({"frames": 0}, "`frames` must be a positive integer"),
        (
            {"frames": 8, "input_shape": (16, 32, 32, 3)},
            "`frames` must agree with `input_shape`",
        ),
        ({"input_shape": (8, 32, 32, 1)}, "`input_shape` must end with"),
        ({"inflation": "center"}, "override of source 'vnl' must be one of"),
        ({"frames": 1, "family": "vnl_32x2"}, "`inputs` of layer"),
    ],
)
def test_wrong_override_is_refused(converted, blobs, overrides, words):
    with pytest.raises(ValueError) as caught:
        converted(blobs, **overrides)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"architecture": 5}, "must be a word"),
        ({"depth": "50"}, "must be a positive integer"),
        ({"non_local": "res3"}, "must be a number of blocks, None, or blocks"),
        ({"non_local": {"res3": 1}}, "must be a number of blocks"),
        ({"non_local": {5: (1,)}}, "must be a number of blocks"),
        ({"family": ("vnl",)}, "must be a word"),
        ({"frames": 1.5}, "must be a positive integer"),
        ({"frames": True}, "must be a positive integer"),
        ({"frames": 10**13}, "at most 100000"),
        ({"input_shape": 5}, "must be (frames, height, width, channels)"),
        ({"input_shape": (8, 32, 32)}, "must be (frames, height, width, chan"),
        ({"input_shape": "8323"}, "must be (frames, height, width, channels)"),
        ({"stem_strides": (1, 2)}, "must be three positive integers"),
        ({"pool1": (1, 2, 2)}, "must be (size, strides, padding)"),
        ({"stage_strides": "x"}, "must be four positive integers"),
        ({"stage_dilations": (1, 1, 1, 0)}, "must be four positive integers"),
        ({"shift_div": 0}, "must be a positive integer or None"),
        ({"epsilon": -1}, "must be a number of at least 0"),
        ({"epsilon": float("nan")}, "must be a number of at least 0"),
        ({"epsilon": 10**400}, "must be a number of at least 0"),
        ({"momentum": [1]}, "must be a number from 0 to below 1"),
        ({"synchronized": 1}, "must be True or False"),
        ({"implementation": None}, "must be a word"),
        ({"dtype": 16}, "must be the name of a dtype policy"),
        ({"num_classes": 10**13}, "at most 100000"),
        ({"num_classes": 0}, "must be a positive integer"),
        ({"fully_convolutional": 5}, "a window of three positive integers"),
        ({"dropout": "much"}, "must be a number from 0 to below 1"),
        ({"activation": ("softmax",)}, "must be the name of an activation"),
        ({"name": 5}, "must be a word"),
        ({"pairwise": 1}, "must be a word, or a dictionary of stages to"),
        ({"scale": "1"}, "must be a number or None"),
        ({"scale": 10**400}, "must be a number or None"),
        ({"pool_size": {"res4": "2"}}, "must be a positive integer, three of"),
        ({"pool_first": 1}, "must be True, False or None"),
        ({"frame_groups": {"res3": None}}, "must be a positive integer"),
        ({"attend_axes": 1.5}, "must be a word, axes, or None"),
    ],
    ids=str,
)
def test_a_value_of_another_kind_is_refused(overrides, words):
    with pytest.raises(ConversionError) as caught:
        override_kinds.check(overrides)
    (name,) = overrides
    assert str(caught.value).startswith(f"`{name}` must be")
    assert words in str(caught.value)


def test_every_override_has_a_kind():
    known = {*plan.TOLD, *plan.CLIP, *plan.BACKBONE}
    known |= {*plan.HEAD, *plan.IMAGENET, "name", *detector_plan.OVERRIDES}
    assert set(override_kinds.KINDS) == known
    assert set(override_kinds.KINDS_OF_BLOCKS) == set(block_options.OVERRIDES)


ANY_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda value: st.lists(value) | st.dictionaries(st.integers(), value),
    max_leaves=5,
)


@given(
    st.sampled_from(
        sorted(override_kinds.KINDS | override_kinds.KINDS_OF_BLOCKS)
    ),
    ANY_VALUE,
)
def test_any_value_is_taken_or_refused_in_words(name, value):
    try:
        override_kinds.check({name: value})
    except ConversionError as error:
        assert f"`{name}` must be" in str(error)


def test_block_override_without_blocks_is_refused(tmp_path):
    path = paths.GOLDEN / "pyslowfast_c2d_8x8_r50_width8.pyth"
    with pytest.raises(ConversionError, match="would change nothing"):
        convert.load_checkpoint(path, "pyslowfast", pairwise="dot_product")


def test_window_of_a_source_that_has_none_is_refused():
    path = paths.GOLDEN / "mmaction2_i3d_r50_nl_dot_product_width8.pth"
    with pytest.raises(ConversionError, match="`fully_convolutional` is for"):
        convert.load_checkpoint(path, "mmaction2", fully_convolutional=True)


def test_pooling_that_names_contradict_is_refused():
    path = paths.GOLDEN / "mmaction2_i3d_r50_nl_dot_product_width8.pth"
    with pytest.raises(ConversionError, match="g is followed by a pooling"):
        convert.load_checkpoint(path, "mmaction2", pool_size=None)


@pytest.fixture(scope="module")
def shifted(tmp_path_factory):
    """A small file of mmaction2 with temporal shifts."""
    tensors = w.tensors(
        w.network(**w.SHIFTED), names.MMAction2TSM(w.PLACES), flat=True
    )
    path = tmp_path_factory.mktemp("tsm") / "tsm.pth"
    path.write_bytes(w.torch_file(tensors, "state_dict"))
    return path


@pytest.mark.parametrize(
    "overrides",
    [{"family": "mmaction2_c2d_nopool"}, {"shift_div": None}],
    ids=str,
)
def test_shift_that_names_contradict_is_refused(shifted, overrides):
    with pytest.raises(ConversionError, match="network with temporal shifts"):
        convert.load_checkpoint(shifted, "mmaction2", **overrides)


@pytest.mark.parametrize(
    "overrides", [{"family": "mmaction2_tsm"}, {"shift_div": 8}], ids=str
)
def test_shift_that_a_file_does_not_have_is_refused(overrides):
    path = paths.GOLDEN / "mmaction2_i3d_r50_nl_dot_product_width8.pth"
    with pytest.raises(ConversionError, match="network without such shifts"):
        convert.load_checkpoint(path, "mmaction2", **overrides)


def test_shift_is_reported(shifted):
    _, report = convert.convert(
        shifted, "mmaction2", pairwise="embedded_gaussian"
    )
    assert "C2D ResNet-17 with temporal shift" in report.model
    assert "family: mmaction2_tsm, by its temporal shifts" in report.notes


def test_frames_that_cannot_be_grouped_are_refused(tmp_path):
    network = w.network(**w.DENSE, normalization="affine")
    path = tmp_path / "affine.pkl"
    path.write_bytes(w.caffe2_file(w.tensors(network, names.Caffe2())))
    with pytest.raises(ConversionError, match="a multiple of 4 there"):
        convert.load_checkpoint(path, "vnl", frames=12)


def test_overrides_that_agree_with_the_file_are_taken(converted, blobs):
    model, report = converted(
        blobs,
        depth=17,
        architecture="c2d",
        non_local={"res4": [0], "res3": [1]},
        pool1=((1, 3, 3), (1, 2, 2), (0, 1, 1)),
        input_shape=(8, None, None, 3),
    )
    assert model.input_shape == (None, 8, None, None, 3)
    assert "pool1: ((1, 3, 3), (1, 2, 2), (0, 1, 1)), as asked for" in (
        report.notes
    )


def test_override_of_the_configuration_is_said(tmp_path):
    network = w.network(**w.PADDED)
    file = w.torch_file(
        w.tensors(network, names.PySlowFast()),
        "model_state",
        cfg="INSTANTIATION: softmax",
    )
    path = tmp_path / "file.pyth"
    path.write_bytes(file)
    _, report = convert.convert(path, "pyslowfast", pairwise="dot_product")
    assert "'dot_product' was taken; the configuration" in report.warnings[0]


def test_family_with_another_normalization_is_said(converted, blobs):
    _, report = converted(blobs, family="vnl_32x4")
    assert "published with normalization 'affine'" in report.warnings[0]


def test_epsilon_is_that_of_the_source(converted, blobs):
    model, _ = converted(blobs)
    block = model.backbone.get_layer("nonlocal_res3_1")
    assert block.epsilon == 1.0000001e-5
    assert model.backbone.get_layer("conv1_bn").epsilon == 1.0000001e-5
    model, _ = converted(blobs, "pyslowfast")
    assert model.backbone.get_layer("conv1_bn").epsilon == 1e-5


@pytest.mark.parametrize(
    ("file", "overrides", "family"),
    [
        ("mine.pkl", {}, "vnl_8x8"),
        ("mine.pkl", {"frames": 32}, "vnl_32x2"),
        ("mine.pkl", {"frames": 16}, "vnl_8x8"),
        ("c2d_nonlocal_32x2_IN_pretrain_400k.pkl", {}, "vnl_32x2"),
        ("c2d_nonlocal_8x8_IN.pkl", {"frames": 32}, "vnl_8x8"),
        ("c2d_nonlocal_8x8_IN.pkl", {"family": "vnl_32x2"}, "vnl_32x2"),
        ("run_128x16.pkl", {}, "vnl_8x8"),
    ],
)
def test_family_of_the_release(blobs, file, overrides, family):
    found, why = families.choose_family("vnl", told(blobs), overrides, file)
    assert found == family
    assert why


def told(tensors):
    tensors = assign.Tensors(name_maps.CAFFE2, tensors)
    return infer_architecture(tensors.shapes(), tensors.spell)


def test_nopool_in_the_name_of_a_file(blobs):
    file = "C2D_NOPOOL_8x8_R50.pkl"
    family, _ = families.choose_family("pyslowfast", told(blobs), {}, file)
    assert family == "pyslowfast_nopool"
    flat = dataclasses.replace(told(blobs), flat=True)
    file = "c2d_r50-in1k-pre-nopool.pth"
    family, _ = families.choose_family("mmaction2", flat, {}, file)
    assert family == "mmaction2_c2d_nopool"
