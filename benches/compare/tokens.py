"""Tokens that both servers accept."""

import base64
import hashlib
import hmac
import json
import time

SECRET = "a secret of benchmarks that is long enough"


def part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token(user):
    claims = {"sub": user, "exp": int(time.time()) + 86_400}
    signed = b".".join(part(json.dumps(each).encode()) for each in ({"alg": "HS256", "typ": "JWT"}, claims))
    return (signed + b"." + part(hmac.digest(SECRET.encode(), signed, hashlib.sha256))).decode()
