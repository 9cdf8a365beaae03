"""Events between services, over Kafka."""
