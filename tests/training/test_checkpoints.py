import errno
import os
import subprocess
import sys

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
    # A few steps, which take less than a graph.
    net.compile(keras.optimizers.AdamW(1e-2), "mse", run_eagerly=True)
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


def test_a_full_disk_leaves_the_last_checkpoint_and_nothing_else(
    tmp_path, monkeypatch
):
    net = model()
    train(net, [0])
    first = checkpoints.save(tmp_path, net)
    train(net, [1])

    def fill(file, **arrays):
        file.write(b"as much as there is room for")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoints.np, "savez", fill)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.save(tmp_path, net)
    assert list(tmp_path.iterdir()) == [first]


def test_what_a_kill_has_left_is_removed(tmp_path):
    net = model()
    train(net, [0])
    whole = checkpoints.save(tmp_path, net)
    (tmp_path / ".step-2.4711.partial").write_bytes(b"half of it")
    checkpoints.remove_partial(tmp_path)
    assert list(tmp_path.iterdir()) == [whole]


def two(folder):
    """Two checkpoints of one model; gives the newer one."""
    net = model()
    train(net, [0])
    checkpoints.save(folder, net)
    train(net, [1])
    return checkpoints.save(folder, net)


def test_any_changed_byte_makes_the_one_before_be_used(tmp_path, caplog):
    newest = two(tmp_path)
    whole, target = newest.read_bytes(), model()
    rng = np.random.default_rng(0)
    # Every byte of the directory and the end of the zip file, and a sample.
    places = {*range(len(whole) - 200, len(whole))}
    places |= {*rng.integers(0, len(whole), 80).tolist()}
    for place in sorted(places):
        damaged = bytearray(whole)
        damaged[place] ^= int(rng.integers(1, 256))
        newest.write_bytes(damaged)
        assert checkpoints.restore_newest(tmp_path, target) == 1, place
    assert "step-2.npz" in caplog.text
    newest.write_bytes(whole)
    assert checkpoints.restore_newest(tmp_path, target) == 2


def test_a_file_cut_at_any_length_is_not_whole(tmp_path):
    newest = two(tmp_path)
    whole, target = newest.read_bytes(), model()
    for length in (0, 1, 21, 70, 71, 72, 1000):
        newest.write_bytes(whole[:length])
        assert checkpoints.restore_newest(tmp_path, target) == 1, length


def test_without_a_whole_checkpoint_it_is_said_that_a_run_starts_over(
    tmp_path, caplog
):
    net = model()
    train(net, [0])
    checkpoints.save(tmp_path, net).write_bytes(b"nothing")
    assert checkpoints.restore_newest(tmp_path, model()) == 0
    assert "Not one checkpoint" in caplog.text


def rewrite(path, change):
    """Writes a checkpoint as the version before the checksum did."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    change(arrays)
    np.savez(path, **arrays)


def test_a_checkpoint_of_an_earlier_version_is_taken_and_said(tmp_path, caplog):
    rewrite(two(tmp_path), lambda arrays: None)
    assert checkpoints.restore_newest(tmp_path, model()) == 2
    assert "of an earlier version, without a checksum" in caplog.text


@pytest.mark.parametrize(
    "value", [np.nan, np.inf, "text", b"bytes", np.datetime64("2020-01-01")]
)
def test_values_that_are_no_finite_numbers_are_never_taken(value, tmp_path):
    def spoil(arrays):
        name = next(name for name in arrays if "kernel" in name)
        arrays[name] = np.full(arrays[name].shape, value)

    rewrite(two(tmp_path), spoil)
    assert checkpoints.restore_newest(tmp_path, model()) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("of", ["weights", "optimizer"])
def test_values_that_are_not_finite_are_never_written(of, value, tmp_path):
    net = model()
    train(net, [0])
    first = checkpoints.save(tmp_path, net)
    train(net, [1])
    variables = net if of == "weights" else net.optimizer
    variable = [v for v in variables.variables if len(v.shape) == 2][-1]
    variable.assign(np.full(variable.shape, value))
    with pytest.raises(FloatingPointError, match="after step 2 the variable"):
        checkpoints.save(tmp_path, net)
    assert list(tmp_path.iterdir()) == [first]


def test_a_checkpoint_of_another_type_of_numbers_is_refused(tmp_path):
    def widen(arrays):
        name = next(name for name in arrays if "kernel" in name)
        arrays[name] = arrays[name].astype("float64")

    rewrite(two(tmp_path), widen)
    with pytest.raises(ValueError, match="another model.*kernel"):
        checkpoints.restore_newest(tmp_path, model())


def test_a_folder_is_locked_for_a_second_process_and_free_after_a_kill(
    tmp_path,
):
    code = (
        "import sys, time\n"
        "from nonlocal_keras.training import checkpoints\n"
        "with checkpoints.lock(sys.argv[1]):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(600)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"held\n"
    with pytest.raises(ValueError, match="`model_dir` must not be in use"):
        with checkpoints.lock(tmp_path):
            pass
    process.kill()
    process.wait()
    with checkpoints.lock(tmp_path):
        pass


def test_without_a_checkpoint_nothing_is_done(tmp_path):
    assert checkpoints.restore_newest(tmp_path / "none", model()) == 0


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    net = model()
    train(net, [0])
    checkpoints.save(tmp_path, net)
    with pytest.raises(ValueError, match="`model_dir` holds.*another model"):
        checkpoints.restore_newest(tmp_path, model(units=5))
