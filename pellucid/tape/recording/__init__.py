"""How a forward pass becomes a tape: the recorder, copy-on-write storage, and what is found out about values on the way."""
