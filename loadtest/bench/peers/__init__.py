"""What our services are measured against, doing the same work on the same stores."""
