"""Twenty, and only Twenty: how a real server answers is taken from recordings of version 2.19."""
