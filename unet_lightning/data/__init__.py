"""Photographs and labels: from files to padded batches."""
