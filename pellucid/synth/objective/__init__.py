"""What is climbed: targets and penalties as one number per picture."""
