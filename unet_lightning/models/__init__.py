"""Networks: `(B, C, H, W)` in, `{"out": logits}` out."""
