"""Other programs' files into the layout of `data=folder`: readers of what people have, and what is written of it."""
