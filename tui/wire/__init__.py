"""Bytes and provider JSON: what comes off a socket becomes values. Opens no socket, reads no clock or disk."""
