"""What crosses a service boundary in TraceMyPods."""
