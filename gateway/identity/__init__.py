"""Who asks: what a request brings to show it, whom that names, and the keys by which it is checked."""
