"""OpenAI's wire format: `/v1/chat/completions` and `/v1/models`."""
