"""The losses of detectors as functions of logits, targets and weights.

Each is a sum over the entries that count, over a number of entries of the
whole batch, so that one image with many objects weighs more than one with
few. All of it is float32.

Reference:

- [Ren et al., 2015, section 3.1.2](https://arxiv.org/abs/1506.01497)
- [Girshick, 2015, section 2.3](https://arxiv.org/abs/1504.08083)
- [He et al., 2017, section 3](https://arxiv.org/abs/1703.06870)
"""

from keras import ops

# Where the quadratic part of the loss of boxes ends.
_BETA = 1.0 / 9.0


def objectness_loss(logits, positive, weights):
    """Returns the mean binary cross-entropy of anchors.

    Args:
        logits: Tensor `(...)`.
        positive: Boolean tensor `(...)`.
        weights: float32 tensor `(...)`, 1 for the entries that count, else 0.
    """
    losses = _binary(logits, ops.cast(positive, "float32"))
    return mean(losses, weights)


def box_loss(deltas, targets, positive, weights):
    """Returns the smooth L1 loss of positive boxes over all that count.

    Args:
        deltas: Tensor `(..., 4)`.
        targets: float32 tensor `(..., 4)`, finite everywhere.
        positive: float32 tensor `(...)`, 1 for boxes that have a target.
        weights: float32 tensor `(...)`, 1 for these and negative ones.
    """
    error = ops.abs(ops.cast(deltas, "float32") - targets)
    losses = ops.where(
        error < _BETA, 0.5 / _BETA * error**2, error - 0.5 * _BETA
    )
    number = ops.maximum(ops.sum(weights), 1.0)
    return ops.sum(losses * positive[..., None]) / number


def class_loss(logits, labels, weights):
    """Returns the mean cross-entropy of classes.

    Args:
        logits: Tensor `(..., classes)`.
        labels: int32 tensor `(...)`, one of the classes.
        weights: float32 tensor `(...)`, 1 for the entries that count, else 0.
    """
    logits = ops.cast(logits, "float32")
    chosen = ops.take_along_axis(logits, labels[..., None], axis=-1)
    losses = ops.logsumexp(logits, axis=-1) - chosen[..., 0]
    return mean(losses, weights)


def mask_loss(logits, targets, labels, weights):
    """Returns the mean binary cross-entropy of the masks of the right class.

    Args:
        logits: Tensor `(n, size, size, classes)`.
        targets: float32 tensor `(n, size, size)`, from 0 to 1.
        labels: int32 tensor `(n,)`.
        weights: float32 tensor `(n,)`, 1 for the boxes that count, else 0.
    """
    labels = labels[:, None, None, None]
    logits = ops.take_along_axis(logits, labels, axis=-1)[..., 0]
    losses = ops.mean(_binary(logits, targets), axis=(1, 2))
    return mean(losses, weights)


def keypoint_loss(logits, places, weights):
    """Returns the mean cross-entropy of keypoints over all their places.

    Args:
        logits: Tensor `(n, size, size, keypoints)`.
        places: int32 tensor `(n, keypoints)`, row by row.
        weights: float32 tensor `(n, keypoints)`, 1 for those that count.
    """
    shape = (-1, logits.shape[1] * logits.shape[2], logits.shape[3])
    logits = ops.swapaxes(ops.reshape(logits, shape), 1, 2)
    return class_loss(logits, places, weights)


def mean(values, weights):
    """Returns the weighted mean, 0 without any weight."""
    return ops.sum(values * weights) / ops.maximum(ops.sum(weights), 1.0)


def _binary(logits, targets):
    logits = ops.cast(logits, "float32")
    return ops.softplus(logits) - targets * logits
