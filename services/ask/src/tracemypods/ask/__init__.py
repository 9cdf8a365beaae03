"""Answers questions with self-hosted models."""
