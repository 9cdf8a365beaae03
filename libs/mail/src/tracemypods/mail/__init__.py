"""Sending mail from TraceMyPods services."""
