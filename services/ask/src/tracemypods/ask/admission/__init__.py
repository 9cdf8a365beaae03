"""Who is answered when: a short queue before each model."""
