"""The transparency log of RFC 6962 and the C2SP specifications: what a stranger's tool does too."""
