"""The HTTP edge: callers' connections, requests and answers, and the processes that serve them."""
