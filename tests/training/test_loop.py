"""The loop trains any model on any batches, and goes on exactly."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from nonlocal_keras.training import loop

STEPS = 4


def make_model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.AdamW(0.1), "mse")
    return model


def make_dataset(done, worst=1.0):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2 * STEPS, 3)), rng.normal(size=(2 * STEPS, 1))
    batches = tf.data.Dataset.from_tensor_slices((x, worst * y)).batch(2)
    return batches.skip(done)


def fit(directory, model, steps=STEPS, epochs=2, **options):
    options = {"make_dataset": make_dataset, **options}
    loop.fit(
        "dense",
        model,
        directory=directory,
        steps=steps,
        epochs=epochs,
        strategy=tf.distribute.get_strategy(),
        **options,
    )


def test_a_run_of_any_model_goes_on_to_the_same_weights(tmp_path):
    whole, half, rest, said = make_model(), make_model(), make_model(), []
    fit(tmp_path / "whole", whole)
    fit(tmp_path / "parts", half, steps=2, epochs=1)
    fit(tmp_path / "parts", rest, say=said.append)
    assert said == ["dense: going on from step 2 of 4"]
    for a, b in zip(whole.get_weights(), rest.get_weights()):
        np.testing.assert_array_equal(a, b)
    assert (tmp_path / "parts" / "step-4.npz").exists()


class Scores(keras.callbacks.Callback):
    """A validation whose numbers are given."""

    def __init__(self, *scores):
        super().__init__()
        self.scores = scores

    def on_epoch_end(self, epoch, logs=None):
        logs["score"] = self.scores[epoch]


def weights_after(steps, tmp_path):
    model = make_model()
    fit(tmp_path / f"to-{steps}", model, steps=steps, epochs=steps)
    return model.get_weights()


def fit_best(folder, scores, model=None, **options):
    model, said = model or make_model(), []
    fit(
        folder,
        model,
        epochs=4,
        validation=Scores(*scores),
        monitor="score",
        patience=2,
        say=said.append,
        **options,
    )
    return model.get_weights(), said


def test_the_best_weights_are_kept(tmp_path):
    found, said = fit_best(tmp_path, (0.1, 0.5, 0.2, 0.5))
    assert said == ["best score: 50.0%, after step 2"]
    for ours, theirs in zip(found, weights_after(2, tmp_path), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_run_ends_when_it_gets_no_better(tmp_path):
    found, said = fit_best(tmp_path, (0.5, 0.1, 0.2, 0.9))
    assert said[0] == "dense: no better for 2 parts, ended at 3"
    for ours, theirs in zip(found, weights_after(1, tmp_path), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # Nor does it when it is asked to go on.
    again, _ = fit_best(
        tmp_path, (), make_dataset=lambda done: pytest.fail("trained")
    )
    for ours, theirs in zip(again, found, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_killed_run_remembers_its_best_weights(tmp_path):
    scores = (0.5, 0.1, 0.2, 0.4)

    class Killed(Scores):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt
            super().on_epoch_end(epoch, logs)

    with pytest.raises(KeyboardInterrupt):
        fit(
            tmp_path,
            make_model(),
            epochs=4,
            validation=Killed(*scores),
            monitor="score",
            patience=2,
        )
    found, said = fit_best(tmp_path, scores)
    assert said[0] == "dense: going on from step 1 of 4"
    assert said[1:] == [
        "dense: no better for 2 parts, ended at 3",
        "best score: 50.0%, after step 1",
    ]


def test_damaged_best_weights_are_left_out(tmp_path):
    fit_best(tmp_path, (0.5, 0.1, 0.2, 0.9))
    data = bytearray((tmp_path / "best.npz").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "best.npz").write_bytes(data)
    _, said = fit_best(tmp_path, (0, 0, 0, 0.3))
    assert "best score: 30.0%, after step 4" in said


def test_patience_needs_a_validation(tmp_path):
    with pytest.raises(ValueError, match="`patience` needs a validation"):
        fit(tmp_path, make_model(), patience=1)


def test_the_time_that_is_left_is_said_once(tmp_path, monkeypatch):
    clock = iter(range(0, 1000, 3))
    monkeypatch.setattr(loop.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(loop.ExpectedTime, "LAST", 3)
    said = []
    fit(tmp_path, make_model(), epochs=1, say=said.append)
    assert said == [
        "dense: 3 s a step, about 3 s for the 1 steps left, without validation"
    ]


def test_a_run_that_is_done_is_not_trained_any_more(tmp_path):
    fit(tmp_path, make_model())
    fit(tmp_path, make_model(), make_dataset=lambda done: pytest.fail())


def test_the_validation_adds_to_the_logs_that_are_kept(tmp_path):
    class Validation(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_score"] = epoch + 0.5

    fit(tmp_path, make_model(), validation=Validation())
    first, *epochs = (tmp_path / "log.csv").read_text().splitlines()
    column = first.split(",").index("val_score")
    assert [line.split(",")[column] for line in epochs] == ["0.5", "1.5"]


def test_a_loss_that_is_no_number_is_said_by_the_name_of_the_model(tmp_path):
    with pytest.raises(FloatingPointError, match="^dense: the loss of step 1"):
        fit(
            tmp_path,
            make_model(),
            make_dataset=lambda done: make_dataset(done, worst=np.nan),
        )
    assert not list(tmp_path.glob("step-*"))


def test_a_checkpoint_within_an_epoch_is_refused(tmp_path):
    fit(tmp_path, make_model(), steps=3, epochs=1)
    with pytest.raises(ValueError, match="at step 3, which is no multiple"):
        fit(tmp_path, make_model())


def test_what_the_batches_have_raised_is_raised(tmp_path):
    def make_broken(done):
        def broken(x, y):
            with tf.control_dependencies([tf.debugging.Assert(False, ["?"])]):
                return tf.identity(x), y

        batches = make_dataset(done).map(broken)
        batches.errors = [OSError("the disk is gone")]
        return batches

    with pytest.raises(OSError, match="the disk is gone"):
        fit(tmp_path, make_model(), make_dataset=make_broken)
