import keras
import numpy as np
import pytest

from nonlocal_keras.training import checkpoints


def model(units=3, seed=0):
    keras.utils.set_random_seed(seed)
    net = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(units),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(1),
        ]
    )
    net.compile(keras.optimizers.AdamW(1e-2), "mse")
    return net


def batch(step):
    rng = np.random.default_rng(step)
    return rng.normal(size=(8, 4)), rng.normal(size=(8, 1))


def train(net, steps):
    for step in steps:
        net.train_on_batch(*batch(step))


def test_a_resumed_run_equals_one_without_a_break(tmp_path):
    whole = model()
    train(whole, range(6))
    first = model()
    train(first, range(3))
    checkpoints.save(tmp_path, first)
    second = model(seed=7)  # Other weights, other dropout states.
    assert checkpoints.restore_newest(tmp_path, second) == 3
    train(second, range(3, 6))
    pairs = zip(
        [*whole.variables, *whole.optimizer.variables],
        [*second.variables, *second.optimizer.variables],
    )
    for a, b in pairs:
        np.testing.assert_array_equal(np.array(a), np.array(b), err_msg=a.path)


def test_only_the_newest_are_kept(tmp_path):
    net = model()
    for step in range(4):
        train(net, [step])
        checkpoints.save(tmp_path, net, keep=2)
    names = [path.name for path in checkpoints.checkpoints(tmp_path)]
    assert names == ["step-4.npz", "step-3.npz"]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_truncated_checkpoint_is_named_and_the_one_before_used(
    tmp_path, caplog
):
    net = model()
    train(net, [0])
    checkpoints.save(tmp_path, net)
    train(net, [1])
    newest = checkpoints.save(tmp_path, net)
    newest.write_bytes(newest.read_bytes()[:1000])
    assert checkpoints.restore_newest(tmp_path, model()) == 1
    assert "step-2.npz" in caplog.text


def test_a_kill_while_writing_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    net = model()
    train(net, [0])
    checkpoints.save(tmp_path, net)
    train(net, [1])

    def die(file, **arrays):
        file.write(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints.np, "savez", die)
    with pytest.raises(KeyboardInterrupt):
        checkpoints.save(tmp_path, net)
    assert checkpoints.restore_newest(tmp_path, model()) == 1


def test_without_a_checkpoint_nothing_is_done(tmp_path):
    assert checkpoints.restore_newest(tmp_path / "none", model()) == 0


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    net = model()
    train(net, [0])
    checkpoints.save(tmp_path, net)
    with pytest.raises(ValueError, match="`model_dir` holds.*another model"):
        checkpoints.restore_newest(tmp_path, model(units=5))
