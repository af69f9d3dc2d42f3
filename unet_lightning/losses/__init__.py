"""Losses of logits against targets in which some pixels are ignored."""
