from nonlocal_keras.evaluation.accuracy import Evaluation
from nonlocal_keras.evaluation.accuracy import evaluate
from nonlocal_keras.evaluation.coco import CocoEvaluator
from nonlocal_keras.evaluation.detection import evaluate_detector
from nonlocal_keras.evaluation.prediction import predict_video
from nonlocal_keras.evaluation.prediction import top_labels

__all__ = [
    "CocoEvaluator",
    "Evaluation",
    "evaluate",
    "evaluate_detector",
    "predict_video",
    "top_labels",
]
