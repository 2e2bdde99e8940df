"""Weir: a terminal wall of live token streams."""
