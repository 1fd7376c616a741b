"""The non-local block of Wang et al. for any number of dimensions."""

import keras
from keras import constraints
from keras import initializers
from keras import ops
from keras import regularizers

from nonlocal_keras.layers import arguments
from nonlocal_keras.layers import initialization
from nonlocal_keras.layers.batch_norm import BatchNormalization
from nonlocal_keras.layers.frozen_affine import FrozenAffine
from nonlocal_keras.ops import pairwise as forms
from nonlocal_keras.ops import positions
from nonlocal_keras.ops import weighted_sum


class BaseNonLocal(keras.layers.Layer):
    """The block for any rank; `NonLocal3D` documents the arguments."""

    rank = None

    # Long, as its arguments are many: each is checked and kept.

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
        self.attended_axes = arguments.attended_axes(
            attend_axes, self.rank, name
        )
        self.frame_groups = arguments.check_positive_int(
            "frame_groups", frame_groups
        )
        arguments.check_split(self.attended_axes, self.pool_size, frame_groups)
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
        flat = (None, None, channels)
        self.g = self._projection("g", width)
        self.g.build(flat)
        if self.pairwise != "gaussian":
            self.theta = self._projection("theta", width)
            self.theta.build(flat)
            self.phi = self._projection("phi", width)
            self.phi.build(flat)
        if self.pairwise == "concatenation":
            self.w_f = self.add_weight(
                shape=(2 * width,),
                # Drawn as a 1 x 1 kernel, so that its fan is 2 * width.
                initializer=lambda shape, dtype: ops.reshape(
                    initialization.clone(self.kernel_initializer)(
                        (*shape, 1), dtype=dtype
                    ),
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
            self.norm.build(flat)
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
            mask = positions.expand_mask(mask, x, self.compute_dtype)
        groups, (theta, phi, g), options = self._affinity_inputs(x, mask)
        if return_attention_scores:
            weights = weighted_sum.weights(theta, phi, **options)
            y = ops.matmul(weights, ops.cast(g, weights.dtype))  # (B', N, C')
        else:
            y = weighted_sum.weighted_sum(
                theta, phi, g, implementation=self.implementation, **options
            )
        y = positions.from_sets(y, self.attended_axes, like=groups)
        y = positions.flatten(y, like=x)  # (B, T*H*W, C')
        y = ops.reshape(self._output(y, mask, training), ops.shape(x))
        y = ops.cast(y, self.compute_dtype)
        z = self._move_channels(x + y, last=False)
        if not return_attention_scores:
            return z
        if positions.has_many_sets(
            self.attended_axes, self.rank, self.frame_groups
        ):
            weights = positions.split_scores(weights, ops.shape(x)[0])
        return z, weights

    def queries_and_keys(self, inputs, mask=None):
        """Returns what the weights are computed of, without computing them.

        `nonlocal_keras.ops.weighted_sum.weights(theta, phi, **options)` are
        all of them; of a few rows of `theta` it gives these rows alone.

        Args:
            inputs: Tensor, as for a call of the layer.
            mask: Boolean tensor, as for a call. Defaults to `None`.

        Returns:
            Tuple `(theta, phi, options)`: queries `(batch * sets, queries,
            channels)`, keys `(batch * sets, keys, channels)`, and the
            dictionary of what else decides the weights. Sets and positions
            are in the order of the attention scores.
        """
        x = self._move_channels(ops.convert_to_tensor(inputs), last=True)
        x = ops.cast(x, self.compute_dtype)
        if mask is not None:
            mask = positions.expand_mask(mask, x, self.compute_dtype)
        _, (theta, phi, _), options = self._affinity_inputs(x, mask)
        return theta, phi, options

    def _affinity_inputs(self, x, mask):
        """Returns x in groups, theta, phi and g of each set, and options."""
        # (B*G, T/G, H, W, C): each group of frames is a sample of its own.
        groups, group_mask = positions.split_frames(x, self.frame_groups), None
        if mask is not None:
            group_mask = positions.split_frames(mask, self.frame_groups)
        *parts, key_mask = self._queries_keys_values(groups, group_mask)
        return groups, parts, self._weight_options(key_mask)

    def _queries_keys_values(self, x, mask):
        """Returns theta, phi and g of each set, and the mask of its keys."""
        pooled_mask = positions.pool_mask(mask, self.pool_size)
        pooling = (self.pool_size, mask, pooled_mask)
        keys = positions.pool_valid(x, *pooling) if self.pool_first else x
        embedded = self.pairwise != "gaussian"
        theta = self._project(self.theta, x) if embedded else x
        phi = self._project(self.phi, keys) if embedded else keys
        g = self._project(self.g, keys)
        if not self.pool_first:
            phi = positions.pool_valid(phi, *pooling)
            g = positions.pool_valid(g, *pooling)
        theta, phi, g = (
            positions.to_sets(part, self.attended_axes)
            for part in (theta, phi, g)
        )
        if pooled_mask is not None:  # (B', M)
            pooled_mask = positions.to_sets(pooled_mask, self.attended_axes)[
                ..., 0
            ]
        return theta, phi, g, pooled_mask

    def _project(self, dense, x):
        # A 1x1x1 convolution is a matrix product over the channels.
        y = dense(positions.flatten(x, like=x))
        return ops.reshape(y, (*ops.shape(x)[:-1], dense.units))

    def _weight_options(self, mask):
        """Returns what decides the weights, beside queries and keys."""
        options = {"pairwise": self.pairwise, "mask": mask}
        if self.pairwise == "concatenation":
            options["w_f"] = self.w_f
        if self.pairwise in forms.SOFTMAX_FORMS:
            scale = self.scale
            options["scale"] = self.g.units**-0.5 if scale is None else scale
        return options

    def _output(self, y, mask, training):
        """Returns `norm(W_z y)`, which the block adds to its input."""
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
        mask = positions.flatten(mask, like=mask)[..., 0] > 0.5
        return self.norm(y, training=training, mask=mask)

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
            "kernel_initializer": initialization.resolve(
                initialization.clone(self.kernel_initializer)
            ),
            "bias_initializer": initialization.clone(self.bias_initializer),
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
        scores = positions.score_shape(
            shape, self.attended_axes, self.frame_groups, self.pool_size
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
            **initialization.serialize(self),
        }
        return {**super().get_config(), **config}
