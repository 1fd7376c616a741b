import keras
from keras import ops

from nonlocal_keras.layers import arguments


@keras.saving.register_keras_serializable("nonlocal_keras")
class TemporalShift(keras.layers.Layer):
    """Moves some channels of a clip by one frame, without a weight.

    The first `channels // shift_div` channels of a frame become those of the
    next frame, as many after them become those of the frame before, and the
    rest stay. Where there is no such frame stand zeros. In front of a 1x1
    convolution it mixes three frames at the cost of one.

    Example:

    >>> layer = nonlocal_keras.layers.TemporalShift(shift_div=4)
    >>> clip = np.reshape(np.arange(1.0, 13.0), (1, 3, 1, 1, 4))
    >>> np.asarray(layer(clip))[0, :, 0, 0]
    array([[ 5.,  0.,  3.,  4.],
           [ 9.,  2.,  7.,  8.],
           [ 0.,  6., 11., 12.]], dtype=float32)

    Args:
        shift_div: Integer of at least 2: one part in `shift_div` of the
            channels, rounded down, moves in each direction. Defaults to `8`.
        **kwargs: `name`, `dtype` and `trainable` as in `keras.layers.Layer`.

    Input shape:
        `(batch, frames, height, width, channels)`

    Output shape:
        Same as the input.

    Raises:
        ValueError: If `shift_div` is below 2, or if the input is no clip or
            has too few channels for one to move.

    Reference:

    - [Lin et al., 2019, section 3](https://arxiv.org/abs/1811.08383)
    """

    def __init__(self, shift_div=8, **kwargs):
        super().__init__(**kwargs)
        self.shift_div = arguments.check_positive_int("shift_div", shift_div)
        if shift_div < 2:
            raise ValueError(
                "`shift_div` must be at least 2, since as many channels move "
                "forward as move back; the published models have 8. "
                f"Received: shift_div={shift_div}"
            )

    def build(self, input_shape):
        channels = input_shape[-1]
        if len(input_shape) != 5 or channels is None:
            raise ValueError(
                "`inputs` of TemporalShift must be clips (batch, frames, "
                "height, width, channels) of a known number of channels. "
                f"Received: inputs.shape={tuple(input_shape)}"
            )
        if channels < self.shift_div:
            raise ValueError(
                "`shift_div` must not exceed the channels, or no channel "
                "would move. Choose a smaller one, or more channels. Received: "
                f"shift_div={self.shift_div}, {channels} channels"
            )

    def call(self, inputs):
        moved = inputs.shape[-1] // self.shift_div
        later = inputs[:, 1:, :, :, :moved]
        earlier = inputs[:, :-1, :, :, moved : 2 * moved]
        return ops.concatenate(
            [
                _pad_frames(later, 0, 1),
                _pad_frames(earlier, 1, 0),
                inputs[:, :, :, :, 2 * moved :],
            ],
            axis=-1,
        )

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "shift_div": self.shift_div}


def _pad_frames(x, before, after):
    return ops.pad(x, ((0, 0), (before, after), (0, 0), (0, 0), (0, 0)))
