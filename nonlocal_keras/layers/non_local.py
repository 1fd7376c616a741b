"""The non-local block of Wang et al. for one, two and three dimensions."""

import math

import keras
from keras import constraints
from keras import initializers
from keras import ops
from keras import regularizers

from nonlocal_keras.layers import arguments
from nonlocal_keras.layers import initialization
from nonlocal_keras.layers.batch_norm import BatchNormalization
from nonlocal_keras.layers.frozen_affine import FrozenAffine
from nonlocal_keras.ops import folding
from nonlocal_keras.ops import pairwise as forms
from nonlocal_keras.ops import weighted_sum


class BaseNonLocal(keras.layers.Layer):
    """The block for any rank; `NonLocal3D` documents the arguments."""

    rank = None

    def __init__(
        self,
        intermediate_dim=None,
        pairwise="embedded_gaussian",
        scale=None,
        pool_size=None,
        pool_first=False,
        attend_axes=None,
        frame_groups=1,
        normalization="batch",
        use_bias=True,
        output_bias=True,
        momentum=0.9,
        epsilon=1e-5,
        synchronized=False,
        data_format=None,
        implementation="auto",
        kernel_initializer="he_normal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        name = type(self).__name__
        if intermediate_dim is not None:
            arguments.check_positive_int("intermediate_dim", intermediate_dim)
        self.intermediate_dim = intermediate_dim
        self.pairwise = arguments.check_choice(
            "pairwise", pairwise, forms.PAIRWISE
        )
        self.scale = arguments.check_scale(scale, pairwise)
        self.pool_size = arguments.check_pool_size(pool_size, self.rank, name)
        self.pool_first = bool(pool_first)
        self.attend_axes = attend_axes
        self._axes = arguments.attended_axes(attend_axes, self.rank, name)
        self.frame_groups = arguments.check_positive_int(
            "frame_groups", frame_groups
        )
        arguments.check_split(self._axes, self.pool_size, frame_groups)
        self.normalization = arguments.check_choice(
            "normalization", normalization, arguments.NORMALIZATIONS
        )
        self.use_bias = bool(use_bias)
        self.output_bias = bool(output_bias)
        self.momentum = momentum
        self.epsilon = epsilon
        self.synchronized = bool(synchronized)
        self.data_format = arguments.check_choice(
            "data_format",
            data_format or keras.config.image_data_format(),
            ("channels_last", "channels_first"),
        )
        self.implementation = arguments.check_choice(
            "implementation", implementation, arguments.IMPLEMENTATIONS
        )
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.supports_masking = True

    def build(self, input_shape):
        self._check_shape(self._channels_last(input_shape))
        channels = input_shape[self._channel_axis]
        width = self.intermediate_dim or max(channels // 2, 1)
        positions = (None, None, channels)
        self.g = self._projection("g", width)
        self.g.build(positions)
        if self.pairwise != "gaussian":
            self.theta = self._projection("theta", width)
            self.theta.build(positions)
            self.phi = self._projection("phi", width)
            self.phi.build(positions)
        if self.pairwise == "concatenation":
            self.w_f = self.add_weight(
                shape=(2 * width,),
                # Drawn as a 1 x 1 kernel, so that its fan is 2 * width.
                initializer=lambda shape, dtype: ops.reshape(
                    _clone(self.kernel_initializer)((*shape, 1), dtype=dtype),
                    shape,
                ),
                regularizer=self.kernel_regularizer,
                constraint=self.kernel_constraint,
                name="w_f",
            )
        # A new block is the identity: a batch norm with gamma = 0 sees to it
        # or, without one, a W_z of zeros.
        zero_output = self.normalization != "batch"
        self.w_z = self._projection(
            "w_z",
            channels,
            use_bias=self.output_bias,
            # y is cubic in x for the dot product: it leaves float32 only
            # after the normalization.
            autocast=False,
            **({"kernel_initializer": "zeros"} if zero_output else {}),
        )
        self.w_z.build((None, None, width))
        self.norm = self._make_norm()
        if self.norm is not None:
            self.norm.build(positions)
        self.input_spec = keras.layers.InputSpec(
            ndim=self.rank + 2, axes={self._channel_axis: channels}
        )

    def call(
        self, inputs, mask=None, training=None, return_attention_scores=False
    ):
        arguments.check_floats(self, inputs)
        self._check_shape(self._channels_last(inputs.shape))
        x = self._move_channels(inputs, last=True)
        if mask is not None:
            mask = self._mask_of_positions(mask, x)
        # (B*G, T/G, H, W, C): each group of frames is a sample of its own.
        groups = self._split_frames(x)
        theta, phi, g, key_mask = self._queries_keys_values(
            groups, None if mask is None else self._split_frames(mask)
        )
        form = self._form(key_mask)
        if return_attention_scores:
            weights = weighted_sum.weights(theta, phi, **form)
            y = ops.matmul(weights, ops.cast(g, weights.dtype))  # (B', N, C')
        else:
            y = weighted_sum.weighted_sum(
                theta, phi, g, implementation=self.implementation, **form
            )
        y = self._unfold(y, groups)
        y = self._flatten(y, like=x)  # (B, T*H*W, C')
        y = ops.reshape(self._output(y, mask, training), ops.shape(x))
        y = ops.cast(y, self.compute_dtype)
        z = self._move_channels(x + y, last=False)
        if return_attention_scores:
            return z, self._scores(weights, ops.shape(x)[0])
        return z

    def _queries_keys_values(self, x, mask):
        """Gives theta, phi and g on folded positions, and the key mask."""
        # (B, T, H, W, 1), or None; pooled as the keys are.
        pooled_mask = None if mask is None else self._pool(mask) > 0.5
        keys, values = x, None
        if self.pool_first:
            keys = self._pool_valid(x, mask, pooled_mask)
        embedded = self.pairwise != "gaussian"
        theta = self._project(self.theta, x) if embedded else x
        phi = self._project(self.phi, keys) if embedded else keys
        values = self._project(self.g, keys)
        if not self.pool_first:
            phi = self._pool_valid(phi, mask, pooled_mask)
            values = self._pool_valid(values, mask, pooled_mask)
        if pooled_mask is not None:
            pooled_mask = self._fold(pooled_mask)[..., 0]  # (B', M)
        fold = self._fold
        return fold(theta), fold(phi), fold(values), pooled_mask

    def _form(self, mask):
        """What decides the weights, beside queries and keys."""
        form = {"pairwise": self.pairwise, "mask": mask}
        if self.pairwise == "concatenation":
            form["w_f"] = self.w_f
        if self.pairwise in forms.SOFTMAX_FORMS:
            scale = self.scale
            form["scale"] = self.g.units**-0.5 if scale is None else scale
        return form

    def _output(self, y, mask, training):
        """`norm(W_z y)`, which the block adds to its input."""
        y = self.w_z(y)
        if self.normalization is None:
            return y
        if self.normalization == "affine":
            return self.norm(y)
        if mask is None:
            return self.norm(y, training=training)
        if self.synchronized and training:
            raise ValueError(
                "`synchronized` statistics cannot leave out the positions "
                "that `mask` excludes. Train with synchronized=False, or "
                "without a mask. Received: synchronized=True"
            )
        mask = self._flatten(mask, like=mask)[..., 0] > 0.5
        return self.norm(y, training=training, mask=mask)

    # === Positions ===

    def _split_frames(self, x):
        if self.frame_groups == 1:
            return x
        batch, frames, *rest = ops.shape(x)
        groups = self.frame_groups
        return ops.reshape(x, (batch * groups, frames // groups, *rest))

    def _fold(self, x):
        """(B, T, H, W, C) -> (B', N, C): one row per set that attends."""
        order, _ = self._order()
        if order != tuple(range(self.rank + 2)):
            x = ops.transpose(x, order)
        sizes = ops.shape(x)[-1 - len(self._axes) : -1]
        return ops.reshape(x, (-1, math.prod(sizes), x.shape[-1]))

    def _unfold(self, y, like):
        """The inverse of `_fold` for the queries of the map `like`."""
        order, inverse = self._order()
        sizes = [ops.shape(like)[axis] for axis in order[:-1]]
        y = ops.reshape(y, (*sizes, y.shape[-1]))
        if order == tuple(range(self.rank + 2)):
            return y
        return ops.transpose(y, inverse)

    def _order(self):
        attended = tuple(a + 1 for a in self._axes)
        kept = tuple(a for a in range(1, self.rank + 1) if a not in attended)
        order = (0, *kept, *attended, self.rank + 1)
        return order, tuple(order.index(a) for a in range(len(order)))

    def _project(self, dense, x):
        # A 1x1x1 convolution is a matrix product over the channels.
        y = dense(self._flatten(x, like=x))
        return ops.reshape(y, (*ops.shape(x)[:-1], dense.units))

    def _flatten(self, x, like):
        positions = math.prod(ops.shape(like)[1:-1])
        return ops.reshape(x, (-1, positions, x.shape[-1]))

    def _pool(self, x):
        return (
            x if self.pool_size is None else folding.max_pool(x, self.pool_size)
        )

    def _pool_valid(self, x, mask, pooled_mask):
        """Pools valid positions only; windows without any become zero."""
        if mask is None:
            return self._pool(x)
        x = self._pool(ops.where(mask > 0.5, x, -float("inf")))
        return ops.where(pooled_mask, x, 0.0)

    def _mask_of_positions(self, mask, x):
        """Gives a mask (B, T[, H[, W]]) as floats of shape (B, T, H, W, 1)."""
        missing = self.rank + 1 - len(mask.shape)
        if len(mask.shape) < 2 or missing < 0:
            raise ValueError(
                "`mask` must have the axes of the batch and of positions, "
                f"such as (batch, frames), 2 and at most {self.rank + 1}. "
                f"Received: mask.shape={tuple(mask.shape)}"
            )
        for size, expected in zip(mask.shape, x.shape):
            if None not in (size, expected) and size not in (1, expected):
                raise ValueError(
                    "`mask` must agree with the batch and positions of "
                    f"`inputs`, {tuple(x.shape[:-1])}. "
                    f"Received: mask.shape={tuple(mask.shape)}"
                )
        mask = ops.cast(mask, self.compute_dtype)
        mask = ops.reshape(mask, (*ops.shape(mask), *([1] * (missing + 1))))
        return ops.broadcast_to(mask, (*ops.shape(x)[:-1], 1))

    def _scores(self, weights, batch):
        """Gives each group of positions an axis if there is more than one."""
        if self._folds():
            shape = (batch, -1, *ops.shape(weights)[1:])
            return ops.reshape(weights, shape)
        return weights

    def _folds(self):
        return self.frame_groups > 1 or len(self._axes) < self.rank

    # === Channels ===

    @property
    def _channel_axis(self):
        return -1 if self.data_format == "channels_last" else 1

    def _channels_last(self, shape):
        if self.data_format == "channels_last" or len(shape) < 2:
            return tuple(shape)
        return (shape[0], *shape[2:], shape[1])

    def _move_channels(self, x, last):
        if self.data_format == "channels_last":
            return x
        return ops.moveaxis(x, *((1, -1) if last else (-1, 1)))

    def _check_shape(self, shape):
        arguments.check_input_shape(
            shape,
            self.rank,
            type(self).__name__,
            self.pool_size,
            self.frame_groups,
        )

    # === Sublayers ===

    def _projection(self, name, units, **changes):
        options = {
            "use_bias": self.use_bias,
            # Initializers hold a seed: a shared one would draw equal kernels.
            "kernel_initializer": initialization.chosen(
                _clone(self.kernel_initializer)
            ),
            "bias_initializer": _clone(self.bias_initializer),
            "kernel_regularizer": self.kernel_regularizer,
            "bias_regularizer": self.bias_regularizer,
            "kernel_constraint": self.kernel_constraint,
            "bias_constraint": self.bias_constraint,
            "dtype": self.dtype_policy,
            "name": name,
        }
        return keras.layers.Dense(units, **{**options, **changes})

    def _make_norm(self):
        if self.normalization == "affine":
            return FrozenAffine(
                autocast=False, dtype=self.dtype_policy, name="affine"
            )
        if self.normalization == "batch":
            return BatchNormalization(
                momentum=self.momentum,
                epsilon=self.epsilon,
                gamma_initializer="zeros",
                synchronized=self.synchronized,
                autocast=False,
                dtype=self.dtype_policy,
                name="bn",
            )
        return None

    # === Keras contract ===

    def compute_output_shape(self, input_shape):
        return input_shape

    def compute_output_spec(
        self, inputs, mask=None, training=None, return_attention_scores=False
    ):
        shape = self._channels_last(inputs.shape)
        self._check_shape(shape)
        z = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return z
        sizes = list(shape[1:-1])
        if sizes[0] is not None:
            sizes[0] //= self.frame_groups
        keys = [
            n if n is None else n // k
            for n, k in zip(sizes, self.pool_size or (1,) * self.rank)
        ]
        kept = [n for a, n in enumerate(sizes) if a not in self._axes]
        groups = _product([self.frame_groups, *kept])
        scores = (
            shape[0],
            *((groups,) if self._folds() else ()),
            _product([sizes[a] for a in self._axes]),
            _product([keys[a] for a in self._axes]),
        )
        dtype = keras.backend.result_type(self.compute_dtype, "float32")
        return z, keras.KerasTensor(scores, dtype=dtype)

    def get_config(self):
        config = {
            "intermediate_dim": self.intermediate_dim,
            "pairwise": self.pairwise,
            "scale": self.scale,
            "pool_size": self.pool_size,
            "pool_first": self.pool_first,
            "attend_axes": self.attend_axes,
            "frame_groups": self.frame_groups,
            "normalization": self.normalization,
            "use_bias": self.use_bias,
            "output_bias": self.output_bias,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "synchronized": self.synchronized,
            "data_format": self.data_format,
            "implementation": self.implementation,
            "kernel_initializer": initializers.serialize(
                self.kernel_initializer
            ),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(
                self.kernel_regularizer
            ),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(
                self.activity_regularizer
            ),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }
        return {**super().get_config(), **config}


def _clone(initializer):
    if not isinstance(initializer, initializers.Initializer):
        return initializer
    return initializer.__class__.from_config(initializer.get_config())


def _product(sizes):
    return None if None in sizes else math.prod(sizes)


@keras.saving.register_keras_serializable("nonlocal_keras")
class NonLocal1D(BaseNonLocal):
    """Non-local block over the steps of a sequence.

    Every step receives a weighted sum over all steps. The arguments are those
    of `nonlocal_keras.NonLocal3D`, with one spatial axis: `pool_size` has one
    entry and `frame_groups` splits the steps.

    Example:

    >>> x = np.random.normal(size=(2, 20, 32)).astype("float32")
    >>> nonlocal_keras.NonLocal1D()(x).shape
    TensorShape([2, 20, 32])

    Input shape:
        `(batch, steps, channels)`, or with `data_format="channels_first"`
        `(batch, channels, steps)`.

    Output shape:
        Same as the input.

    Reference:

    - [Wang et al., 2018, section 3](https://arxiv.org/abs/1711.07971)
    """

    rank = 1


@keras.saving.register_keras_serializable("nonlocal_keras")
class NonLocal2D(BaseNonLocal):
    """Non-local block over the positions of an image.

    Every pixel receives a weighted sum over all pixels. The arguments are
    those of `nonlocal_keras.NonLocal3D`, with two spatial axes: `pool_size`
    has two entries and `frame_groups` splits the rows.

    Example:

    >>> x = np.random.normal(size=(2, 14, 14, 32)).astype("float32")
    >>> nonlocal_keras.NonLocal2D(pool_size=2)(x).shape
    TensorShape([2, 14, 14, 32])

    Input shape:
        `(batch, height, width, channels)`, or with
        `data_format="channels_first"` `(batch, channels, height, width)`.

    Output shape:
        Same as the input.

    Reference:

    - [Wang et al., 2018, section 3](https://arxiv.org/abs/1711.07971)
    """

    rank = 2


@keras.saving.register_keras_serializable("nonlocal_keras")
class NonLocal3D(BaseNonLocal):
    """Non-local block over the positions of a clip in space and time.

    It computes `z_i = W_z y_i + x_i` with
    `y_i = 1 / C(x) * sum_j f(x_i, x_j) g(x_j)`, where `i` runs over all
    positions and `j` over all positions or, with `pool_size`, a pooled grid
    of them. A new block is the identity, so that it can be put into a trained
    network.

    Example:

    >>> x = np.random.normal(size=(2, 4, 14, 14, 32)).astype("float32")
    >>> block = nonlocal_keras.NonLocal3D(pool_size=(1, 2, 2))
    >>> z, scores = block(x, return_attention_scores=True)
    >>> z.shape, scores.shape
    (TensorShape([2, 4, 14, 14, 32]), TensorShape([2, 784, 196]))

    Args:
        intermediate_dim: Integer, the channels of `theta`, `phi` and `g`.
            `None` for half the input channels, at least 1.
        pairwise: The function `f` and its normalization `C`:
            `"embedded_gaussian"` (softmax over the keys), `"gaussian"` (the
            same without `theta` and `phi`), `"dot_product"` (divided by the
            number of keys) or `"concatenation"` (ReLU, divided by the number
            of keys). Keys are counted after pooling and masking.
        scale: Float that multiplies the logits of the two softmax forms.
            `None` for `intermediate_dim ** -0.5`, as in the authors' release;
            `1.0` for the text of the paper.
        pool_size: Integer or tuple of 3 integers, max-pooling of keys and
            values along frames, height and width, e.g. `(1, 2, 2)`. `None`
            for no pooling.
        pool_first: Boolean, whether to pool before the `phi` and `g`
            projections (the authors' release, PySlowFast) or after them (the
            paper, mmaction2). The two differ in value.
        attend_axes: `None` or `"spacetime"` for all positions, `"space"` for
            the positions of the same frame, `"time"` for the same pixel in
            all frames, or a tuple of the spatial axes that attend.
        frame_groups: Integer. The frames are split into that many groups of
            consecutive frames, and a position sees its own group only.
        normalization: `"batch"` for batch normalization after `W_z`, with
            gamma zero at first; `"affine"` for a frozen scale and offset;
            `None` for nothing. Without batch normalization `W_z` is zero at
            first.
        use_bias: Boolean, whether `theta`, `phi` and `g` have a bias.
        output_bias: Boolean, whether `W_z` has a bias.
        momentum: Float, momentum of the batch normalization.
        epsilon: Float, epsilon of the batch normalization.
        synchronized: Boolean, whether replicas share batch statistics
            (TensorFlow backend).
        data_format: `"channels_last"` or `"channels_first"`. `None` for
            `keras.config.image_data_format()`.
        implementation: How the sum over all positions is computed; the
            numbers are the same. `"streamed"` never builds the matrix of
            attention scores, and its memory grows with the number of
            positions, not with its square: the softmax forms go through
            tiles, the dot product is reassociated, the concatenation sorts
            its keys. `"matrix"` builds it, as the equations of the paper
            read. `"auto"` takes the faster one for the shapes. Scores that
            are asked for come from the matrix.
        kernel_initializer: Initializer of the kernels.
        bias_initializer: Initializer of the biases.
        kernel_regularizer: Regularizer of the kernels.
        bias_regularizer: Regularizer of the biases.
        activity_regularizer: Regularizer of the output.
        kernel_constraint: Constraint on the kernels.
        bias_constraint: Constraint on the biases.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras layer.

    Call arguments:
        inputs: Tensor, see the input shape. Batch, frames, height and width
            may be unknown when the model is built.
        mask: Boolean tensor `(batch, frames)`, `(batch, frames, height)` or
            `(batch, frames, height, width)`, `True` where a position is
            valid. Other positions get no weight and do not count, neither as
            keys nor in batch statistics.
        training: Boolean, whether batch normalization uses batch statistics.
        return_attention_scores: Boolean, whether to return the weights
            `f(x_i, x_j) / C(x)` as well.

    Input shape:
        `(batch, frames, height, width, channels)`, or with
        `data_format="channels_first"`
        `(batch, channels, frames, height, width)`.

    Output shape:
        Same as the input.

    Returns:
        The output, or with `return_attention_scores=True` a tuple
        `(output, scores)`. The scores have shape `(batch, queries, keys)`,
        and `(batch, groups, queries, keys)` where `attend_axes` or
        `frame_groups` divides the positions; positions are in row-major
        order.

    Raises:
        ValueError: If an argument is outside its rule, `frame_groups` does
            not divide the frames, the pool is larger than the map, an axis is
            empty or the input has another rank.

    Reference:

    - [Wang et al., 2018, section 3](https://arxiv.org/abs/1711.07971)
    """

    rank = 3
