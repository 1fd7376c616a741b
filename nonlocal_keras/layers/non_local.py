"""The non-local blocks for one, two and three dimensions."""

import keras

from nonlocal_keras.layers.base_non_local import BaseNonLocal


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
            Defaults to `None`, half the input channels and at least 1.
        pairwise: String, the function `f` and its normalization `C`:
            `"embedded_gaussian"` (softmax over the keys), `"gaussian"` (the
            same without `theta` and `phi`), `"dot_product"` (divided by the
            number of keys) or `"concatenation"` (ReLU, divided by the number
            of keys). Keys are counted after pooling and masking. Defaults to
            `"embedded_gaussian"`.
        scale: Float that multiplies the logits of the two softmax forms;
            `1.0` is the text of the paper. Defaults to `None`,
            `intermediate_dim ** -0.5` as in the authors' release.
        pool_size: Integer or Tuple of 3 Integers, max-pooling of keys and
            values along frames, height and width, e.g. `(1, 2, 2)`. Defaults
            to `None`, no pooling.
        pool_first: Boolean, whether to pool before the `phi` and `g`
            projections (the authors' release, PySlowFast) or after them (the
            paper, mmaction2). The two differ in value. Defaults to `False`.
        attend_axes: String or Tuple of Integers: `"spacetime"` for all
            positions, `"space"` for the positions of the same frame, `"time"`
            for the same pixel in all frames, or the spatial axes that attend.
            Defaults to `None`, all positions.
        frame_groups: Integer. The frames are split into that many groups of
            consecutive frames, and a position sees its own group only.
            Defaults to `1`.
        normalization: String, `"batch"` for batch normalization after `W_z`,
            with gamma zero at first; `"affine"` for a frozen scale and
            offset; `None` for nothing. Without batch normalization `W_z` is
            zero at first. Defaults to `"batch"`.
        use_bias: Boolean, whether `theta`, `phi` and `g` have a bias.
            Defaults to `True`.
        output_bias: Boolean, whether `W_z` has a bias. Defaults to `True`.
        momentum: Float, momentum of the batch normalization. Defaults to
            `0.9`.
        epsilon: Float, epsilon of the batch normalization. Defaults to
            `1e-5`.
        synchronized: Boolean, whether replicas share batch statistics
            (TensorFlow backend). Defaults to `False`.
        data_format: String, `"channels_last"` or `"channels_first"`. Defaults
            to `None`, which is `keras.config.image_data_format()`.
        implementation: String, how the sum over all positions is computed;
            the numbers are the same. `"streamed"` never builds the matrix of
            attention scores, and its memory grows with the number of
            positions, not with its square: the softmax forms go through
            tiles, the dot product is reassociated, the concatenation sorts
            its keys. `"matrix"` builds it, as the equations of the paper
            read. `"auto"` takes the faster one for the shapes. Scores that
            are asked for come from the matrix. Defaults to `"auto"`.
        kernel_initializer: Initializer of the kernels. Defaults to
            `"he_normal"`.
        bias_initializer: Initializer of the biases. Defaults to `"zeros"`.
        kernel_regularizer: Regularizer of the kernels. Defaults to `None`.
        bias_regularizer: Regularizer of the biases. Defaults to `None`.
        activity_regularizer: Regularizer of the output. Defaults to `None`.
        kernel_constraint: Constraint on the kernels. Defaults to `None`.
        bias_constraint: Constraint on the biases. Defaults to `None`.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras layer.

    Call arguments:
        inputs: Tensor, see the input shape. Batch, frames, height and width
            may be unknown when the model is built.
        mask: Boolean tensor `(batch, frames)`, `(batch, frames, height)` or
            `(batch, frames, height, width)`, `True` where a position is
            valid. Other positions get no weight and do not count, neither as
            keys nor in batch statistics. Defaults to `None`, all are valid.
        training: Boolean, whether batch normalization uses batch statistics.
            Defaults to `None`, what Keras says.
        return_attention_scores: Boolean, whether to return the weights
            `f(x_i, x_j) / C(x)` as well. Defaults to `False`.

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
