"""Where a run shows itself: Weights & Biases, TensorBoard, MLflow."""
