"""The transparency log of RFC 6962 and the C2SP specifications, which tools of others read too."""
