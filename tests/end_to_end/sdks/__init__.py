"""Cloudflare's own SDKs beside the gateway: what each of them makes of the same answer."""
