"""From a photograph to a vessel probability map."""
