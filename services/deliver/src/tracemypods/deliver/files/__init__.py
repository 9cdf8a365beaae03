"""Files in the bucket, and the index of them."""
