"""What is invoiced: documents, their numbers and where they are kept."""
