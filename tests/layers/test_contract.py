"""Keras' layer test, and ours, on every layer of the package."""

import keras
import pytest
from keras.src import testing

from nonlocal_keras.layers import FrozenAffine
from nonlocal_keras.layers import GlobalContext2D
from nonlocal_keras.layers import NonLocal1D
from nonlocal_keras.layers import NonLocal2D
from nonlocal_keras.layers import NonLocal3D
from nonlocal_keras.layers import TemporalShift
from nonlocal_keras.layers.video_conv import VideoConv3D
from nonlocal_keras.layers.video_conv import VideoMaxPool3D
from tests.support import layer_contract
from tests.support.backends import BACKEND
from tests.support.backends import slow_on_jax
from tests.support.backends import tensorflow_only
from tests.support.marks import mostly_slow

pytestmark = pytest.mark.any_backend

CLIPS = (2, 8, 4, 6, 4)
INPUTS = {
    NonLocal1D: (2, 12, 4),
    NonLocal2D: (2, 8, 6, 4),
    GlobalContext2D: (2, 8, 6, 4),
}
SMALL_INITIAL_WEIGHTS = keras.initializers.RandomNormal(stddev=0.02)


def non_local_table(rank, attend_axes):
    """Values unlike the defaults for every argument of a non-local layer."""
    pool_size = (2,) + (1,) * (rank - 1)
    common = {
        "intermediate_dim": 3,
        "pool_size": pool_size,
        "pool_first": True,
        "frame_groups": 2,
        "use_bias": False,
        "output_bias": False,
        "momentum": 0.7,
        "epsilon": 1e-2,
        "kernel_initializer": SMALL_INITIAL_WEIGHTS,
        "bias_initializer": keras.initializers.Constant(0.1),
        "kernel_regularizer": keras.regularizers.L2(1e-3),
        "bias_regularizer": keras.regularizers.L1(1e-3),
        "activity_regularizer": keras.regularizers.L2(1e-4),
        "kernel_constraint": keras.constraints.NonNeg(),
        "bias_constraint": keras.constraints.MaxNorm(2.0),
    }
    return [
        # Without a batch norm, a gaussian.
        {
            **common,
            "pairwise": "gaussian",
            "scale": 0.5,
            "attend_axes": attend_axes,
            "normalization": "affine",
        },
        {
            **common,
            "pairwise": "concatenation",
            "normalization": None,
            "implementation": "streamed",
        },
        # Keras synchronizes batch norms under TensorFlow only.
        {**common, "synchronized": BACKEND == "tensorflow"},
        {"data_format": "channels_first", "implementation": "streamed"},
        {},
    ]


CONV = {
    "filters": 5,
    "kernel_size": (3, 3, 5),
    "strides": (2, 1, 2),
    "implementation": "3d",
}
TABLES = {
    NonLocal1D: non_local_table(1, attend_axes=(0,)),
    NonLocal2D: non_local_table(2, attend_axes=(0,)),
    NonLocal3D: non_local_table(3, attend_axes="time"),
    GlobalContext2D: [
        {
            "ratio": 2,
            "pooling": "average",
            "fusions": ("add", "multiply"),
            "epsilon": 1e-2,
            "kernel_initializer": SMALL_INITIAL_WEIGHTS,
            "bias_initializer": keras.initializers.Constant(0.1),
            "kernel_regularizer": keras.regularizers.L2(1e-3),
            "bias_regularizer": keras.regularizers.L1(1e-3),
            "activity_regularizer": keras.regularizers.L2(1e-4),
            "kernel_constraint": keras.constraints.NonNeg(),
            "bias_constraint": keras.constraints.MaxNorm(2.0),
        },
        {"data_format": "channels_first"},
    ],
    FrozenAffine: [{"axis": 1}, {"axis": -1}],
    TemporalShift: [{"shift_div": 2}, {"shift_div": 4}],
    VideoConv3D: [
        CONV,
        {
            **CONV,
            "implementation": "2d",
            "strides": (1, 1, 1),
            "dilation_rate": (1, 2, 2),
            "activation": "tanh",
            "use_bias": False,
            "kernel_initializer": SMALL_INITIAL_WEIGHTS,
            "bias_initializer": keras.initializers.Constant(0.1),
            "kernel_regularizer": keras.regularizers.L2(1e-3),
            "bias_regularizer": keras.regularizers.L1(1e-3),
            "activity_regularizer": keras.regularizers.L2(1e-4),
            "kernel_constraint": keras.constraints.NonNeg(),
            "bias_constraint": keras.constraints.MaxNorm(2.0),
        },
    ],
    VideoMaxPool3D: [
        {
            "pool_size": (2, 3, 3),
            "strides": (1, 2, 2),
            "padding": (1, 1, 0),
            "implementation": "2d",
        },
        {"pool_size": (1, 2, 2), "strides": (1, 2, 2)},
    ],
}
# The class that takes the rest of the arguments, and what is not for users.
PASSED_ON = {VideoConv3D: (keras.layers.Conv3D,)}
FIXED = {VideoConv3D: ("padding", "data_format", "groups")}
NOT_HERE = () if BACKEND == "tensorflow" else ("synchronized",)


def first_rows():
    """The places of the first row of each class in `EVERY_ROW`."""
    lengths = [len(table) for table in TABLES.values()]
    return [sum(lengths[:i]) for i in range(len(lengths))]


EVERY_ROW = pytest.mark.parametrize(
    "cls, options",
    [
        pytest.param(cls, options, id=f"{cls.__name__}-{row}")
        for cls, table in TABLES.items()
        for row, options in enumerate(table)
    ],
)


@pytest.mark.parametrize("cls", TABLES)
def test_every_parameter_is_tested(cls):
    fixed = FIXED.get(cls, ()) + NOT_HERE
    table = [
        {k: v for k, v in row.items() if k not in NOT_HERE}
        for row in TABLES[cls]
    ]
    layer_contract.check_table(table, cls, *PASSED_ON.get(cls, ()), fixed=fixed)


def test_a_new_parameter_without_a_value_is_noticed():
    class Newer(FrozenAffine):
        def __init__(self, axis=-1, epsilon=0.0):
            super().__init__(axis)

    with pytest.raises(AssertionError, match="`epsilon` of Newer"):
        layer_contract.check_table(TABLES[FrozenAffine], Newer)


def test_a_forgotten_config_entry_is_noticed():
    class Forgetful(FrozenAffine):
        def get_config(self):
            return keras.layers.Layer.get_config(self)

    with pytest.raises(KeyError, match="axis"):
        layer_contract.check_config(Forgetful, {"axis": 1})


@EVERY_ROW
def test_config_keeps_every_argument(cls, options):
    layer_contract.check_config(cls, options)


@EVERY_ROW
def test_keras_file_gives_the_same_layer(cls, options, tmp_path):
    layer_contract.check_saving(
        cls, options, INPUTS.get(cls, CLIPS), tmp_path / "model.keras"
    )


@slow_on_jax
@EVERY_ROW
def test_clone_gives_the_same_layer(cls, options):
    layer_contract.check_clone(cls, options, INPUTS.get(cls, CLIPS))


@tensorflow_only
@mostly_slow(EVERY_ROW, *first_rows())
def test_saved_model_gives_the_same_output(cls, options, tmp_path):
    layer_contract.check_saved_model(
        cls, options, INPUTS.get(cls, CLIPS), str(tmp_path / "model")
    )


class KerasLayerTest(testing.TestCase):
    """`run_layer_test` with every count given, so that it checks them."""

    def run_all(self, cls, options, shape, output_shape=None, **expected):
        self.run_layer_test(
            cls,
            init_kwargs=options,
            input_shape=shape,
            expected_output_shape=output_shape or shape,
            expected_num_seed_generators=0,
            **expected,
        )

    def run_non_local(self, cls, options, trainable, frozen, losses=0):
        self.run_all(
            cls,
            options,
            INPUTS.get(cls, CLIPS),
            expected_num_trainable_weights=trainable,
            expected_num_non_trainable_weights=frozen,
            expected_num_losses=losses,
            supports_masking=True,
        )

    def test_non_local_defaults(self):
        # 4 kernels, 4 biases, gamma and beta; mean and variance.
        for cls in (NonLocal1D, NonLocal2D, NonLocal3D):
            self.run_non_local(cls, {}, trainable=10, frozen=2)

    def test_non_local_gaussian(self):
        options = {"pairwise": "gaussian", "normalization": "affine"}
        for cls in (NonLocal1D, NonLocal2D, NonLocal3D):
            self.run_non_local(cls, options, trainable=4, frozen=2)

    def test_non_local_dot_product(self):
        options = {"pairwise": "dot_product", "normalization": None}
        for cls in (NonLocal1D, NonLocal2D, NonLocal3D):
            self.run_non_local(
                cls, {**options, "pool_size": 2}, trainable=8, frozen=0
            )

    def test_non_local_concatenation(self):
        options = {
            "pairwise": "concatenation",
            "use_bias": False,
            "output_bias": False,
            "kernel_regularizer": "l2",
        }
        for cls in (NonLocal1D, NonLocal2D, NonLocal3D):
            # 4 kernels and w_f, each with a loss.
            self.run_non_local(cls, options, trainable=7, frozen=2, losses=5)

    def test_global_context(self):
        # Kernel and bias of the attention; two of these and a gamma and beta.
        self.run_all(
            GlobalContext2D,
            {"ratio": 2, "kernel_regularizer": "l2"},
            INPUTS[GlobalContext2D],
            expected_num_trainable_weights=8,
            expected_num_non_trainable_weights=0,
            expected_num_losses=3,
            supports_masking=False,
        )

    def test_frozen_affine(self):
        self.run_all(
            FrozenAffine,
            {"axis": -1},
            CLIPS,
            expected_num_trainable_weights=0,
            expected_num_non_trainable_weights=2,
            expected_num_losses=0,
            supports_masking=True,
            # Nothing to train: Keras' step has no gradient.
            run_training_check=False,
        )

    def test_temporal_shift(self):
        self.run_all(
            TemporalShift,
            {"shift_div": 4},
            CLIPS,
            expected_num_trainable_weights=0,
            expected_num_non_trainable_weights=0,
            expected_num_losses=0,
            supports_masking=False,
            # Nothing to train: Keras' step has no gradient.
            run_training_check=False,
        )

    def test_video_conv(self):
        self.run_all(
            VideoConv3D,
            {"filters": 3, "kernel_size": (3, 3, 3), "strides": (1, 2, 2)},
            CLIPS,
            (2, 8, 2, 3, 3),
            expected_num_trainable_weights=2,
            expected_num_non_trainable_weights=0,
            expected_num_losses=0,
            supports_masking=False,
        )

    def test_video_max_pool(self):
        self.run_all(
            VideoMaxPool3D,
            {"pool_size": (1, 3, 3), "strides": (1, 2, 2)},
            CLIPS,
            (2, 8, 1, 2, 4),
            expected_num_trainable_weights=0,
            expected_num_non_trainable_weights=0,
            expected_num_losses=0,
            supports_masking=False,
            # Nothing to train: Keras' step has no gradient.
            run_training_check=False,
        )
