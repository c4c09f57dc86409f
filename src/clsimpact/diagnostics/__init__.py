"""Checks of what an analysis assumes: one file each, every one with a verdict and advice."""
