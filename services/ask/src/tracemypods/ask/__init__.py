"""Answers questions with self-hosted models, in its own and in OpenAI's wire format."""
