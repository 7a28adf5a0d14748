"""What users would pick instead, each written as its own users write it."""
