"""Generated classes, one module per message; find them through `protocol.messages`."""
