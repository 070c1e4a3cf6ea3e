"""Which axis of a value counts what: samples, channels, tokens, places of a feature map."""
