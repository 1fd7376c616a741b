"""Masks of probabilities, where projects draw those of Booleans."""

import torch


def draw_masks(paste, masks, boxes, size):
    """Draws masks as detectron2 and mmdetection do, but keeps probabilities.

    Args:
        paste: Function of the project, `_do_paste_mask`.
        masks: Tensor `(n, 28, 28)` of probabilities.
        boxes: Tensor `(n, 4)`.
        size: Height and width of the image.

    Returns:
        Tensor `(n, *size)`.
    """
    drawn = torch.zeros(len(masks), *size)
    for mask, box, image in zip(masks[:, None, None], boxes[:, None], drawn):
        part, place = paste(mask, box, *size, skip_empty=True)
        image[place] = part[0]
    return drawn
