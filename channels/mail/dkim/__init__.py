"""DKIM signatures on what we send (RFC 6376, 8463): keys, canonical forms, the signer."""
