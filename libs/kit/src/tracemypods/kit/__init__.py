"""What every TraceMyPods service shares."""
