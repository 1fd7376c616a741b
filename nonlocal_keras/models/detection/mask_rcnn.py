"""Mask R-CNN: boxes, and on request masks and keypoints, of objects."""

import keras
import numpy as np

from nonlocal_keras.images import batches
from nonlocal_keras.layers import arguments
from nonlocal_keras.models.detection import anchors
from nonlocal_keras.models.detection import config as configs
from nonlocal_keras.models.detection import finite
from nonlocal_keras.models.detection import network
from nonlocal_keras.models.detection import postprocessing
from nonlocal_keras.models.detection import preprocessing
from nonlocal_keras.models.detection.trainable import TrainableDetector


@keras.saving.register_keras_serializable("nonlocal_keras")
class MaskRCNN(TrainableDetector):
    """Boxes, masks and keypoints of the objects in images.

    With `masks` it is a Mask R-CNN, with `num_keypoints` a Keypoint R-CNN,
    with neither a Faster R-CNN, each on a feature pyramid. `predict` takes
    images as they are; a call takes a padded batch, see `preprocess`.

    Example:

    >>> backbone = nonlocal_keras.models.ImageResNet(
    ...     stage_blocks=(1, 1, 1, 1),
    ...     width_per_group=4,
    ... )
    >>> model = nonlocal_keras.models.MaskRCNN(
    ...     backbone,
    ...     num_classes=3,
    ...     fpn_filters=8,
    ...     box_units=16,
    ...     mask_filters=(8,),
    ...     min_size=64,
    ... )
    >>> image = np.zeros((120, 150, 3), "uint8")
    >>> found = model.predict([image])
    >>> found["boxes"].shape
    (1, 100, 4)
    >>> found["masks"][0].shape == (found["num_detections"][0], 120, 150)
    True

    Args:
        backbone: A functional model from images to a dictionary of the
            features of `"res2"` to `"res5"`, such as
            `nonlocal_keras.models.ImageResNet`.
        num_classes: Integer, classes with the background, which is class 0.
        masks: Boolean, whether there is a mask head. Defaults to `True`.
        num_keypoints: Integer, keypoints of an object. Defaults to `None`, no
            keypoint head.
        keypoint_non_local: Dictionary of arguments of
            `nonlocal_keras.NonLocal2D`: a block stands after every second
            convolution of the keypoint head. Defaults to `None`, no block.
        fpn_filters: Integer, channels of the pyramid. Defaults to `256`.
        rpn_convolutions: Integer, convolutions before the outputs of the
            region proposal head. Defaults to `1`.
        box_filters: Tuple of Integers, channels of the convolutions of the
            box head. Defaults to `()`, none.
        box_units: Integer, units of the two dense layers of the box head, or
            a Tuple of them, one per layer. Defaults to `1024`.
        mask_filters: Tuple of Integers, channels of the convolutions of the
            mask head. Defaults to `(256, 256, 256, 256)`.
        mask_hidden: Integer, channels of its transposed convolution.
            Defaults to `None`, those of its last convolution.
        keypoint_filters: Tuple of Integers, channels of the convolutions of
            the keypoint head. Defaults to eight times `512`.
        normalization: String, what follows the convolutions of pyramid, box
            head and mask head: `"batch"` or `"frozen"`, batch normalization
            as in `nonlocal_keras.models.ImageResNet`. Defaults to `None`,
            nothing.
        anchor_sizes: Tuple of a tuple of Integers per level, square roots of
            the areas of anchors in pixels. Defaults to
            `((32,), (64,), (128,), (256,), (512,))`.
        aspect_ratios: Tuple of Floats, heights over widths of anchors.
            Defaults to `(0.5, 1.0, 2.0)`.
        anchor_boxes: Tuple per level of the anchors of its first position,
            each left, top, right and bottom in pixels, for detectors whose
            anchors are rounded or placed in another way. They take the place
            of `anchor_sizes` and `aspect_ratios`. Defaults to `None`: whole
            pixels around the corner of the image.
        anchor_strides: Tuple of 5 Integers, pixels from anchor to anchor.
            Defaults to `None`, as many whole ones as the padded image has
            per position of the level.
        pre_nms_top_n: Integer, anchors of each level that may become
            proposals. Defaults to `1000`.
        post_nms_top_n: Integer, proposals of an image. Defaults to `1000`.
        rpn_iou_threshold: Float, the overlap from which one of two proposals
            is left out. Defaults to `0.7`.
        rpn_ranking: String, what decides which proposals are the best,
            `"probability"` or `"logit"`; of large logits the probabilities
            are equal. Defaults to `"probability"`.
        roi_aligned: Boolean, whether boxes are continuous coordinates, both
            where features are read (see `nonlocal_keras.ops.roi_align`) and
            where masks are drawn. Without it, as in the first release of Mask
            R-CNN, these are half a position off, and masks are drawn into
            whole pixels. Defaults to `False`.
        roi_sampling_ratio: Integer, points per row and column of a cell of
            the features of a box, or `None` for as many as it has positions.
            Defaults to `2`.
        roi_shrink: Float, pixels by which boxes end earlier, on the right and
            at the bottom, where their features are read: `1` in the first
            Detectron, whose boxes end with their last pixel. Defaults to
            `0.0`.
        score_threshold: Float, less probable boxes are left out. Defaults to
            `0.05`.
        iou_threshold: Float, the overlap from which one of two boxes of a
            class is left out. Defaults to `0.5`.
        detections_per_image: Integer, at most so many. Defaults to `100`.
        min_size: Integer, the short side of an image in the network, in
            pixels. Defaults to `800`.
        max_size: Integer, the longest that its long side may become.
            Defaults to `1333`.
        mean: Tuple of 3 Floats, of RGB values from 0 to 1. Defaults to that
            of ImageNet, `(0.485, 0.456, 0.406)`.
        std: Tuple of 3 Floats. Defaults to `(0.229, 0.224, 0.225)`.
        labels: Sequence of names of the classes, the background first, to be
            saved with the model. Defaults to `None`.
        dtype: String or `keras.DTypePolicy` of all but boxes and scores.
            Defaults to `None`, the policy of Keras.
        name: String. Defaults to `None`, a name made by Keras.
        trainable: Boolean, whether the weights may change in training.
            Defaults to `True`.

    Returns:
        A functional model from `images` and `image_sizes` to the dictionary
        of `boxes`, `labels`, `confidence`, `num_detections`, `masks` of 28 x 28
        and `keypoint_maps` of 56 x 56, all in pixels of the resized images.

    Raises:
        ValueError: If an argument is outside its rule or would change
            nothing.

    Reference:

    - [He et al., 2017](https://arxiv.org/abs/1703.06870)
    - [Wang et al., 2018, section 6](https://arxiv.org/abs/1711.07971)
    """

    def __init__(
        self,
        backbone,
        num_classes,
        masks=True,
        num_keypoints=None,
        keypoint_non_local=None,
        fpn_filters=256,
        rpn_convolutions=1,
        box_filters=(),
        box_units=1024,
        mask_filters=(256,) * 4,
        mask_hidden=None,
        keypoint_filters=(512,) * 8,
        normalization=None,
        anchor_sizes=anchors.SIZES,
        aspect_ratios=anchors.ASPECT_RATIOS,
        anchor_boxes=None,
        anchor_strides=None,
        pre_nms_top_n=1000,
        post_nms_top_n=1000,
        rpn_iou_threshold=0.7,
        rpn_ranking="probability",
        roi_aligned=False,
        roi_sampling_ratio=2,
        roi_shrink=0.0,
        score_threshold=0.05,
        iou_threshold=0.5,
        detections_per_image=100,
        min_size=800,
        max_size=1333,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        labels=None,
        dtype=None,
        name=None,
        trainable=True,
    ):
        # Long, as its arguments are many.
        config = configs.standardize(
            {
                "num_classes": num_classes,
                "masks": masks,
                "num_keypoints": num_keypoints,
                "keypoint_non_local": keypoint_non_local,
                "fpn_filters": fpn_filters,
                "rpn_convolutions": rpn_convolutions,
                "box_filters": box_filters,
                "box_units": box_units,
                "mask_filters": mask_filters,
                "mask_hidden": mask_hidden,
                "keypoint_filters": keypoint_filters,
                "normalization": normalization,
                "anchor_sizes": anchor_sizes,
                "aspect_ratios": aspect_ratios,
                "anchor_boxes": anchor_boxes,
                "anchor_strides": anchor_strides,
                "pre_nms_top_n": pre_nms_top_n,
                "post_nms_top_n": post_nms_top_n,
                "rpn_iou_threshold": rpn_iou_threshold,
                "rpn_ranking": rpn_ranking,
                "roi_aligned": roi_aligned,
                "roi_sampling_ratio": roi_sampling_ratio,
                "roi_shrink": roi_shrink,
                "score_threshold": score_threshold,
                "iou_threshold": iou_threshold,
                "detections_per_image": detections_per_image,
                "min_size": min_size,
                "max_size": max_size,
                "mean": mean,
                "std": std,
                "labels": labels,
                "dtype": dtype,
            },
            backbone,
        )
        inputs, outputs = network.connect(backbone, config)
        super().__init__(
            inputs=inputs, outputs=outputs, name=name, trainable=trainable
        )
        self.backbone = backbone
        self.labels = config["labels"]
        self._config = config
        self._prepare_training()
        # TensorFlow takes any sizes without XLA, which compiles each of them.
        self.jit_compile = keras.backend.backend() == "jax"

    def describe(self):
        """Returns heads, backbone and non-local blocks in one line."""
        return configs.describe(self._config, self.backbone)

    def with_backbone(self, backbone):
        """Makes a detector on another backbone, with the weights of the heads.

        Example:

        >>> options = {"stage_blocks": (1, 1, 1, 1), "width_per_group": 4}
        >>> backbone = nonlocal_keras.models.ImageResNet(**options)
        >>> model = nonlocal_keras.models.MaskRCNN(backbone, num_classes=3)
        >>> nl_backbone = nonlocal_keras.models.ImageResNet(
        ...     non_local={"res4": (0,)}, **options
        ... )
        >>> nl_model = model.with_backbone(nl_backbone)

        Args:
            backbone: As for `MaskRCNN`, with as many channels as this one.

        Returns:
            A `MaskRCNN`.
        """
        config = {**self._config, "labels": self.labels}
        copy = type(self)(backbone, **config, trainable=self.trainable)
        for layer in self.layers:
            if layer.weights and layer is not self.backbone:
                copy.get_layer(layer.name).set_weights(layer.get_weights())
        return copy

    def preprocess(self, images):
        """Turns images of any sizes into the inputs of the network.

        Args:
            images: As for `predict`.

        Returns:
            Dictionary of `images`, a padded float32 batch, and `image_sizes`,
            heights and widths without the padding.

        Raises:
            ValueError: If an image is of another type or shape.
        """
        images, sizes = batches.to_batch(
            preprocessing.check_images(images),
            self._config["min_size"],
            self._config["max_size"],
            self._config["mean"],
            self._config["std"],
        )
        return {"images": images, "image_sizes": sizes}

    def predict(
        self,
        images,
        batch_size=None,
        mask_threshold=None,
        score_threshold=None,
    ):
        """Finds the objects in images.

        JAX compiles the network for each size of a batch.

        Args:
            images: List of RGB arrays `(height, width, 3)`, uint8, or floats
                from 0 to 1; one such array; or a batch of them.
            batch_size: Integer, images that go through the network at a time,
                padded to one size. Defaults to `None`, all of them.
            mask_threshold: Float, the probability above which a pixel is in a
                mask, which then holds Booleans, a quarter of the memory.
                Defaults to `None`, masks of probabilities.
            score_threshold: Float, less probable objects are left out as
                well, before their masks are drawn, which take the memory of
                an image each. Defaults to `None`, that of the model.

        Returns:
            Dictionary, for `n = detections_per_image`. Where an image has
            fewer detections, -1 fills the rest:

            - `boxes`: float32 array `(images, n, 4)`, left, top, right and
              bottom in pixels of the image (`"xyxy"`).
            - `labels`: int32 array `(images, n)` of classes from 1, see
              `labels` of the model.
            - `confidence`: float32 array `(images, n)`, the probabilities, in
              descending order.
            - `num_detections`: int32 array `(images,)`.
            - `masks`: list of float32 or Boolean arrays `(num_detections,
              height, width)`, for each pixel of the image.
            - `keypoints`: float32 array `(images, n, keypoints, 3)` of x, y
              and 1.
            - `keypoint_scores`: float32 array `(images, n, keypoints)` of
              logits.

        Raises:
            ValueError: If an image is of another type or shape.
            FloatingPointError: If nothing is found, for the weights are no
                finite numbers.
        """
        images = preprocessing.check_images(images)
        size = len(images) if batch_size is None else batch_size
        arguments.check_positive_int("batch_size", size)
        found = [
            self._predict_batch(
                images[start : start + size], mask_threshold, score_threshold
            )
            for start in range(0, len(images), size)
        ]
        return postprocessing.join(found)

    def _predict_batch(self, images, mask_threshold, score_threshold):
        inputs = self.preprocess(images)
        outputs = self.predict_on_batch(inputs)
        if not np.any(outputs["num_detections"]):
            finite.require_finite(self)
        if score_threshold is not None:
            outputs = postprocessing.leave_out(outputs, score_threshold)
        return postprocessing.postprocess(
            outputs,
            inputs["image_sizes"],
            np.array([image.shape[:2] for image in images], "int32"),
            mask_threshold,
            self._config["roi_aligned"],
        )

    def get_config(self):
        return {
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            **self._config,
            "labels": None if self.labels is None else tuple(self.labels),
            "name": self.name,
            "trainable": self.trainable,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        config["backbone"] = keras.saving.deserialize_keras_object(
            config["backbone"], custom_objects=custom_objects
        )
        return cls(**config)
