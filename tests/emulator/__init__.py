"""A stand-in for Cloudflare's packet capture API, for tests and for trying the gateway out.

The way of a request: `api` notes it in the `ledger`, holds it against the `rate_rule`, lets
`faults` interfere, checks `credentials`, and answers from `captures` and `ownership` in Cloudflare's
`envelope`.
`control` is the tests' own door. `demo` is what it starts with. `main` puts it together.

What Cloudflare documents is followed. What it does not, and what therefore had to be chosen, is
marked `ASSUMED:` with the reason.
"""
