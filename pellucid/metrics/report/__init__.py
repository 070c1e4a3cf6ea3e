"""What an evaluation says in the end: its table, intervals and advice."""
