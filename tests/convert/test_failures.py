"""A file that does not fit gives one clear error, or a said consequence."""

import numpy as np
import pytest

from nonlocal_keras import convert
from nonlocal_keras.convert import ConversionError
from tests.support import checkpoint_names as names
from tests.support import checkpoint_writers as w
from tests.support import paths


@pytest.fixture
def refused(converted):
    """Gives the message of the error that a conversion must raise."""

    def message(*arguments, **overrides):
        with pytest.raises(ConversionError) as caught:
            converted(*arguments, **overrides)
        return str(caught.value)

    return message


def without(tensors, *names):
    return {k: v for k, v in tensors.items() if k not in names}


# Tensors that do not fit.


def test_every_missing_tensor_is_named(refused, blobs):
    for name in blobs:
        message = refused(without(blobs, name))
        assert f"{name!r}" in message or name == "pred_w", message


def test_every_tensor_of_another_shape_is_an_error(refused, blobs):
    for name, array in blobs.items():
        longer = np.concatenate([array, array[:1]])
        message = refused({**blobs, name: longer})
        # These say what sizes the others should have.
        decides = name in ("conv1_w", "pred_w") or name.endswith("_g_w")
        assert f"{name!r}" in message or decides, message


def test_scalars_in_the_place_of_tensors_are_errors(tmp_path):
    tensors = w.tensors(w.network(**w.PADDED, places=None), names.PySlowFast())
    for name in ("s1.pathway0_stem.conv.weight", "head.projection.weight"):
        path = tmp_path / "file.pyth"
        scalar = {**tensors, name: np.float32(1).reshape(())}
        path.write_bytes(w.torch_file(scalar, "model_state"))
        with pytest.raises(ConversionError):
            convert.load_checkpoint(path, "pyslowfast")


def test_missing_block_is_named(refused, blobs):
    names = [name for name in blobs if name.startswith("res3_0_")]
    message = refused(without(blobs, *names))
    assert "res3" in message and "index 0" in message
    names = [name for name in blobs if name.startswith("res5_")]
    message = refused(without(blobs, *names))
    assert "residual block of res5" in message


def test_extra_tensors_are_named_and_counted(refused, blobs):
    extra = {f"extra_{i}": np.ones(3, "f4") for i in range(7)}
    message = refused({**blobs, **extra})
    assert "'extra_0' is of no known kind" in message
    assert "7 do not" in message and "and 2 more" in message


def test_tensor_of_a_known_kind_without_a_place_is_named(refused, blobs):
    extra = {"res3_1_branch1_w": blobs["res3_0_branch1_w"]}
    assert "'res3_1_branch1_w' has no place" in refused({**blobs, **extra})


def test_wrong_shapes_are_named_with_the_right_ones(refused, blobs):
    wrong = {
        "res3_1_branch2b_w": np.ones((8, 9, 1, 3, 3), "f4"),
        "pred_w": blobs["pred_w"][:, :-1].copy(),
        "res_conv1_bn_s": np.ones(5, "f4"),
    }
    message = refused({**blobs, **wrong})
    assert "(8, 9, 1, 3, 3) and must have (8, 8, 1, 3, 3)" in message
    assert "'pred_w' has shape (3, 127) and must have (3, 128)" in message
    assert "'res_conv1_bn_s' has shape (5,) and must have (4,)" in message


def test_huge_sizes_are_refused_before_a_model_is_built(refused, blobs):
    huge = np.ones((1 << 20, 3, 1, 1, 1), "f4")
    message = refused({**blobs, "conv1_w": huge})
    assert "'res_conv1_bn_s' has shape (4,)" in message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_named(refused, blobs, value):
    array = blobs["res3_1_branch2a_w"].copy()
    array.flat[5] = value
    message = refused({**blobs, "res3_1_branch2a_w": array})
    assert "'res3_1_branch2a_w' holds NaN or infinity" in message


def test_values_too_large_for_float32_are_named(refused, blobs):
    array = blobs["pred_b"].astype("f8") + 1e300
    assert "'pred_b' holds NaN or inf" in refused({**blobs, "pred_b": array})


def test_negative_variance_is_named(refused, blobs):
    array = blobs["res_conv1_bn_riv"].copy()
    array[1] = -1e-3
    message = refused({**blobs, "res_conv1_bn_riv": array})
    assert "'res_conv1_bn_riv' holds a negative variance" in message


def test_integers_are_no_weights(refused, blobs):
    array = np.arange(3, dtype="i4")
    assert "must hold floats" in refused({**blobs, "pred_b": array})


def test_half_and_double_precision_are_read(converted, blobs):
    half = {name: array.astype("f2") for name, array in blobs.items()}
    double = {name: array.astype("f8") for name, array in blobs.items()}
    for tensors in (half, double):
        model, _ = converted(tensors)
        kernel = np.asarray(model.backbone.get_layer("conv1").kernel)
        assert kernel.dtype == np.float32
        np.testing.assert_allclose(
            kernel, blobs["conv1_w"].transpose(2, 3, 4, 1, 0), atol=1e-3
        )


def test_mixed_inflation_is_refused(refused, blobs):
    mixed = {
        "res3_0_branch2a_w": np.ones((8, 16, 3, 1, 1), "f4"),
        "res4_0_branch2b_w": np.ones((16, 16, 3, 3, 3), "f4"),
    }
    message = refused({**blobs, **mixed})
    assert "first in ['res3']" in message and "second in ['res4']" in message


def test_duplicates_that_differ_are_named(tmp_path):
    tensors = w.tensors(
        w.network(**w.PADDED_STRIDED, frames=16), names.GluonCV()
    )
    tensors = w.gluoncv_duplicates(tensors, mxnet=False)
    tensors["head.1.bias"] = tensors["head.1.bias"] + 1
    path = tmp_path / "file.pth"
    path.write_bytes(w.torch_file(tensors))
    with pytest.raises(ConversionError, match="'head.1.bias' differs from"):
        convert.load_checkpoint(path, "gluoncv")


# The wrong source.


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        ("gluoncv_i3d_nl5_r50_width8.params", "vnl", "gluoncv"),
        ("vnl_i3d_nonlocal_8x8_r50_width8.pkl", "mmaction2", "vnl"),
        ("pyslowfast_c2d_8x8_r50_width8.pyth", "pytorchvideo", "pyslowfast"),
        (
            "mmaction2_i3d_r50_nl_dot_product_width8.pth",
            "gluoncv",
            "mmaction2",
        ),
        ("tsm_r50_nl_width8.pth", "mmaction2", "tsm"),
    ],
)
def test_wrong_source_names_the_right_one(name, wrong, right):
    with pytest.raises(ConversionError, match=f"source='{right}'"):
        convert.load_checkpoint(paths.GOLDEN / name, wrong)


def test_names_of_no_source(refused):
    message = refused({"layer.one": np.ones(3, "f4")})
    assert "which no source here has" in message and "'layer.one'" in message


def test_unknown_source():
    with pytest.raises(ValueError, match="`source` must be one of vnl, lfb"):
        convert.load_checkpoint("file", "caffe")


def test_another_network_is_named(tmp_path):
    tensors = w.tensors(w.network(**w.PADDED, places=None), names.PySlowFast())
    tensors["s1.pathway1_stem.conv.weight"] = np.ones((1, 3, 5, 7, 7), "f4")
    path = tmp_path / "slowfast.pyth"
    path.write_bytes(w.torch_file(tensors, "model_state"))
    with pytest.raises(ConversionError, match="looks like SlowFast"):
        convert.load_checkpoint(path, "pyslowfast")


@pytest.mark.parametrize(
    ("source", "spelled", "shift"),
    [
        ("mmaction2", names.MMAction2TSM(w.PLACES), "conv1.conv.net."),
        ("tsm", names.TSM(w.PLACES), "conv1.net."),
    ],
)
def test_network_that_shifts_some_blocks_is_named(
    tmp_path, source, spelled, shift
):
    tensors = w.tensors(w.network(**w.SHIFTED), spelled, flat=True)
    (name,) = (n for n in tensors if "layer2.1.block" in n and shift in n)
    tensors[name.replace(".net.", ".")] = tensors.pop(name)
    path = tmp_path / "tsm.pth"
    path.write_bytes(w.torch_file(tensors, "state_dict"))
    with pytest.raises(ConversionError, match="every second block") as caught:
        convert.load_checkpoint(path, source)
    assert f"{name.replace('.net.', '.')!r} is of no known kind" in str(
        caught.value
    )


def test_basic_blocks_are_named(refused, blobs):
    names = [name for name in blobs if "branch2c" in name]
    assert "ResNet-18 and 34" in refused(without(blobs, *names))


def test_video_network_is_no_imagenet_network(refused, blobs):
    assert "Source 'imagenet' is for 2D" in refused(blobs, "imagenet")


# Said consequences.


@pytest.mark.parametrize("name", ["nonlocal_conv4_0_bn_s"])
def test_block_that_was_never_trained_is_said(converted, blobs, name):
    _, report = converted({**blobs, name: 0 * blobs[name]})
    assert (
        "no trained non-local block at nonlocal_res4_0" in (report.warnings[0])
    )
    assert report.warnings[0] in str(report)


@pytest.mark.parametrize("normalization", [None, "affine"])
def test_untrained_block_without_batch_norm_is_said(tmp_path, normalization):
    options = {**w.POOLED_FIRST, "normalization": normalization}
    network = w.network(
        **w.DENSE, frames=8, options=options, normalization="affine"
    )
    tensors = w.tensors(network, names.Caffe2())
    tensors["nonlocal_conv3_1_out_w"] *= 0
    path = tmp_path / "affine.pkl"
    path.write_bytes(w.caffe2_file(tensors))
    _, report = convert.convert(path, "vnl", frames=8)
    assert (
        "no trained non-local block at nonlocal_res3_1" in (report.warnings[-1])
    )


def test_block_of_an_unusual_form_is_said(tmp_path):
    network = w.network(
        **w.DENSE, places={"res3": (1,)}, options={"output_bias": False}
    )
    path = tmp_path / "blobs.pkl"
    path.write_bytes(w.caffe2_file(w.tensors(network, names.Caffe2())))
    _, report = convert.convert(path, "vnl")
    assert "output_bias=False, which was built" in report.warnings[0]


def test_other_number_of_classes_gives_a_fresh_classifier(converted, blobs):
    model, report = converted(blobs, num_classes=7)
    assert model.output_shape == (None, 7)
    assert report.fresh == ["pred.kernel", "pred.bias"]
    assert "fresh and must be trained" in report.warnings[0]
    reasons = {e.name: e.note for e in report.with_status("skipped")}
    assert reasons["pred_w"] == "a fresh classifier takes its place"


def test_file_without_a_classifier_needs_the_number(converted, refused, blobs):
    headless = without(blobs, "pred_w", "pred_b")
    assert "Give num_classes" in refused(headless)
    _, report = converted(headless, num_classes=7)
    assert report.fresh == ["pred.kernel", "pred.bias"]


def test_ambiguous_pairwise_function_of_mmaction2_is_said(tmp_path):
    network = w.network(**w.PADDED_STRIDED, frames=16)
    path = tmp_path / "mine.pth"
    path.write_bytes(w.torch_file(w.tensors(network, names.MMAction2())))
    _, report = convert.convert(path, "mmaction2")
    said = "\n".join(report.warnings)
    assert "dot_product has the same tensors" in said
    # The files of mmaction2 have no bias there; this one is of another kind.
    assert "output_bias=True, which was built" in said


def test_window_of_the_head(converted, blobs):
    model, _ = converted(blobs, fully_convolutional=True)
    assert model.pool_size == (4, 7, 7)
    model, _ = converted(blobs, fully_convolutional=(4, 1, 1))
    assert model.pool_size == (4, 1, 1)
    clip = np.random.default_rng(0).normal(size=(1, 8, 64, 64, 3))
    assert w.logits(model, clip.astype("f4")).shape == (1, 3)


def test_clips_may_be_of_any_size_unless_frames_are_grouped(converted, blobs):
    model, _ = converted(blobs)
    assert model.input_shape == (None, None, None, None, 3)
    network = w.network(**w.DENSE, normalization="affine")
    affine = w.tensors(network, names.Caffe2())
    model, report = converted(affine)
    assert model.input_shape == (None, 32, None, None, 3)
    assert any(note.startswith("frame_groups") for note in report.notes)


def test_prefix_of_a_wrapper_is_taken_off(tmp_path):
    network = w.network(**w.PADDED, places=None)
    tensors = w.tensors(network, names.PySlowFast())
    wrapped = {f"module.{name}": array for name, array in tensors.items()}
    path = tmp_path / "file.pyth"
    path.write_bytes(w.torch_file(wrapped, "model_state"))
    _, report = convert.convert(path, "pyslowfast")
    assert report.entries[0].name == "module.s1.pathway0_stem.conv.weight"
