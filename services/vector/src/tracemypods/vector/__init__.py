"""Keeps vectors and finds the nearest ones."""
