"""What a user asks: explain, compare, evaluate, maximize, examples, concepts, inspect, and the suites. A file a verb."""
