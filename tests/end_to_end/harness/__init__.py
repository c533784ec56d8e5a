"""What the end-to-end tests stand on: programs as processes, and calls as a caller makes them."""
