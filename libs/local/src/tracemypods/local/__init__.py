"""The launcher and the embedded servers of TraceMyPods."""
