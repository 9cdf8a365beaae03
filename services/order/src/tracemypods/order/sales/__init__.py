"""What is sold, to whom, and with which tax."""
