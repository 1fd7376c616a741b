import dataclasses

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nonlocal_keras.training import experiments
from nonlocal_keras.training import optimizers
from nonlocal_keras.training import strategies
from nonlocal_keras.training.video.classifier import build_model


def longrange():
    return experiments.get_experiment("longrange")


def test_an_unknown_experiment_suggests_near_ones():
    with pytest.raises(ValueError, match="`experiment`.*Did you mean.*nl_i3d"):
        experiments.get_experiment("nl_i3d_r50_kinetic")


def test_overrides_are_read_as_literals():
    changed = longrange().override(
        {"steps": "10", "learning_rate": "1", "short_side": "(50, 60)"}
    )
    assert changed.steps == 10
    assert changed.learning_rate == 1.0
    assert changed.short_side == (50, 60)


def test_models_are_joined_by_plus():
    changed = longrange().override({"models": "c2d_tiny+i3d_tiny"})
    assert changed.models == ("c2d_tiny", "i3d_tiny")


def test_an_unknown_field_suggests_near_ones():
    with pytest.raises(ValueError, match="field.*batchsize.*batch_size"):
        longrange().override({"batchsize": 8})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("steps", "many", "a positive whole number"),
        ("steps", 0, "a positive whole number"),
        ("steps", "True", "a positive whole number"),
        ("frames", "8.0", "a whole number from 1"),
        ("frames", "1" + 13 * "0", "a whole number from 1 to 1000000"),
        ("dropout", -0.1, "a number from 0 to below 1"),
        ("dropout", "1", "a number from 0 to below 1"),
        ("short_side", "(36,)", "two whole numbers"),
        ("short_side", "(40, 36)", "two whole numbers"),
        ("short_side", "36", "two whole numbers"),
        ("mean", "(1,)", "three numbers"),
        ("mean", "(1, 'a', 1)", "three numbers"),
        ("std", "(0, 0, 0)", "three numbers above 0"),
        ("learning_rate", float("nan"), "a number of at least 0"),
        ("learning_rate", float("inf"), "a number of at least 0"),
        ("learning_rate", "1" + 400 * "0", "a number of at least 0"),
        ("weight_decay", "[1]", "a number of at least 0"),
        ("schedule", "linear", "cosine, or rising fractions"),
        ("schedule", "(0.5, 0.2)", "cosine, or rising fractions"),
        ("schedule", "(100, 200)", "cosine, or rising fractions"),
        ("models", "", "names joined by"),
        ("models", "(1, 2)", "names joined by"),
        ("dataset", "../x", "lower case, digits and _"),
        ("test_crops", "5", "1, 3 or 10"),
        ("seed", "-1", "a whole number below"),
        ("flip", "1", "of type bool"),
        ("fps", "0", "a number above 0, or None"),
        ("fps", "many", "a number above 0, or None"),
        ("resize", "(340,)", "two whole numbers (width, height), or None"),
        ("resize", "340", "two whole numbers (width, height), or None"),
        ("render_sizes", "(1, 2)", "three positive whole numbers"),
        ("cache_bytes", "{[]: 1}", "a whole number of at least 0"),
    ],
)
def test_a_nonsense_value_is_refused(name, value, words):
    with pytest.raises(ValueError) as caught:
        longrange().override({name: value})
    assert str(caught.value).startswith(f"`{name}` must be {words}")
    assert f"Received: {name}={value!r}" in str(caught.value)


def test_clips_that_count_time_and_are_stretched_are_overrides():
    assert longrange().clip_spec.fps is longrange().clip_spec.resize is None
    changed = longrange().override({"fps": "30", "resize": "(48, 36)"})
    assert changed.clip_spec.fps == 30.0
    assert changed.clip_spec.resize == (48, 36)
    assert changed.override({"fps": "None", "resize": None}) == longrange()


def test_fields_that_do_not_fit_together_are_refused():
    with pytest.raises(ValueError, match="`short_side` must be a range"):
        longrange().override({"size": "64"})


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_every_experiment_keeps_the_rules(name):
    experiment = experiments.EXPERIMENTS[name]
    fields = dataclasses.asdict(experiment)
    if experiment.models == ("init",):
        # Empty: those of the model that it starts from.
        clip = ("frames", "stride", "size", "short_side", "mean", "std")
        fields = {k: v for k, v in fields.items() if k not in clip}
    assert experiment.override(fields) == experiment


@given(
    st.sampled_from(
        [
            (name, field.name)
            for name in ("longrange", "longrange_shapes")
            for field in dataclasses.fields(experiments.EXPERIMENTS[name])
        ]
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda value: st.lists(value) | st.tuples(value, value),
        max_leaves=4,
    ),
)
def test_any_value_is_taken_or_refused_in_words(place, value):
    experiment, name = place
    for given_as in (value, repr(value)):
        try:
            experiments.EXPERIMENTS[experiment].override({name: given_as})
        except ValueError as error:
            assert f"`{name}` must be" in str(error) or name == "size"


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_every_experiment_builds_its_optimizer(name):
    experiment = experiments.EXPERIMENTS[name]
    optimizer = optimizers.make_optimizer(experiment)
    assert float(optimizer._learning_rate(experiment.steps)) < 1e-3


def test_the_rate_falls_at_the_steps_of_the_paper():
    experiment = experiments.get_experiment("nl_i3d_r50_kinetics")
    schedule = optimizers.make_optimizer(experiment)._learning_rate
    rates = [round(float(schedule(s)), 6) for s in (1, 150_001, 300_001)]
    assert rates == [0.01, 0.001, 0.0001]


def test_weight_decay_of_sgd_is_l2_on_kernels():
    experiment = longrange().override(
        {"optimizer": "sgd", "schedule": "(0.5,)", "warmup_steps": 0}
    )
    model = build_model(experiment, "nl_c2d_tiny", classes=8)
    conv = model.backbone.get_layer("conv1")
    assert float(conv.kernel_regularizer.l2) == pytest.approx(0.005)
    block = model.backbone.get_layer("nonlocal_res3_0")
    assert block.theta.kernel_regularizer is not None


def test_an_unknown_optimizer_is_refused():
    with pytest.raises(ValueError, match="`optimizer` must be.*'adam'"):
        optimizers.make_optimizer(longrange().override({"optimizer": "adam"}))


def test_an_unknown_strategy_is_refused():
    with pytest.raises(ValueError, match="`strategy` must be one of one_dev"):
        strategies.make_strategy("horovod")


def test_a_missing_tpu_is_said():
    with pytest.raises(ValueError, match="needs a machine with a TPU"):
        strategies.make_strategy("tpu")


def test_dtype_of_predictions_is_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = build_model(longrange(), "nl_c2d_tiny", classes=8)
    assert model.outputs[0].dtype == "float32"
    assert model.backbone.get_layer("conv1").compute_dtype == "bfloat16"
