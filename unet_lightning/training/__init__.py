"""A run: its folder, its state, and what it is put together from."""
