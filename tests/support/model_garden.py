"""A tiny experiment of Model Garden's Mask R-CNN, and records for it."""

import numpy as np
from official.core import exp_factory
from official.modeling import hyperparams

# All experiments of detection, which Model Garden registers on import.
from official.vision.configs import maskrcnn  # noqa: F401
from official.vision.tasks import maskrcnn as task  # noqa: F401
from PIL import Image

from nonlocal_keras import data
from tests.support import coco_files

SIZE = 64
CATEGORIES = ({"id": 1, "name": "cup"}, {"id": 2, "name": "kite"})

TINY = """
runtime: {distribution_strategy: one_device, mixed_precision_dtype: float32,
          enable_xla: false}
task:
  init_checkpoint: null
  annotation_file: null
  model:
    num_classes: 3
    input_size: [64, 64, 3]
    backbone:
      type: nl_resnet
      nl_resnet:
        model_id: 10
        depth_multiplier: 0.125
        non_local: {res4: [0]}
        non_local_options: {pool_size: 2, intermediate_dim: 8}
    decoder: {fpn: {num_filters: 8}}
    norm_activation: {use_sync_bn: false, norm_momentum: 0.9}
    rpn_head: {num_filters: 8}
    roi_generator: {pre_nms_top_k: 50, num_proposals: 20,
                    test_pre_nms_top_k: 50, test_num_proposals: 20}
    roi_sampler: {num_sampled_rois: 8}
    detection_head: {num_convs: 0, num_fcs: 1, fc_dims: 16}
    mask_head: {num_convs: 1, num_filters: 8}
    mask_sampler: {num_sampled_masks: 4}
    detection_generator: {max_num_detections: 5, pre_nms_score_threshold: 0.0}
  train_data: &data
    input_path: RECORDS
    global_batch_size: 2
    dtype: float32
    shuffle_buffer_size: 1
    parser: {max_num_instances: 4}
  validation_data:
    <<: *data
    num_examples: 2
trainer:
  train_steps: 3
  steps_per_loop: 3
  summary_interval: 3
  checkpoint_interval: 3
  validation_steps: 1
  validation_interval: 3
  optimizer_config:
    learning_rate: {type: constant, constant: {learning_rate: 0.05}}
    warmup: {type: null}
"""


def experiment(folder):
    """Returns Model Garden's own experiment, overridden by a YAML file."""
    records = folder / "records.tfrecord"
    write_records(folder, records)
    path = folder / "tiny.yaml"
    path.write_text(TINY.replace("RECORDS", str(records)))
    params = exp_factory.get_exp_config("maskrcnn_resnetfpn_coco")
    return hyperparams.override_params_dict(params, str(path), is_strict=True)


def write_records(folder, path):
    """Writes two images of noise, each with an object of each class."""
    images = [coco_files.image(n, SIZE, SIZE) for n in (1, 2)]
    things = [
        coco_files.thing(2 * n + c, n, (4 + 20 * c, 8, 20, 40), c + 1)
        for n in (1, 2)
        for c in (0, 1)
    ]
    found = coco_files.write(folder, images, things, CATEGORIES)
    rng = np.random.default_rng(0)
    for image in found[1].iterdir():
        noise = rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)
        Image.fromarray(noise).save(image)
    data.write_records(data.read_coco(*found), path)
