"""Examples, and the demo that deploys one of them."""
