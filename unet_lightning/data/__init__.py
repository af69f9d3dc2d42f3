"""From image files to padded batches."""
