"""Losses over logits and targets with ignored pixels."""
