"""Serves the pages of TraceMyPods."""
