"""Whether a synthesised picture shows what the network looks for: checks, and a report of them."""
