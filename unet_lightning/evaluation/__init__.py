"""From a run, or a folder of maps, to figures under a protocol."""
