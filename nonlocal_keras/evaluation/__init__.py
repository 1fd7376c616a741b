from nonlocal_keras.evaluation.accuracy import Evaluation
from nonlocal_keras.evaluation.accuracy import evaluate
from nonlocal_keras.evaluation.prediction import predict_video
from nonlocal_keras.evaluation.prediction import top_labels

__all__ = ["Evaluation", "evaluate", "predict_video", "top_labels"]
