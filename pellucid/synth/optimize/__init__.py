"""How it is climbed: steps, schedules, and what is kept of them."""
