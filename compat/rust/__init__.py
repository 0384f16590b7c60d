"""What the clients in Rust have in common."""
