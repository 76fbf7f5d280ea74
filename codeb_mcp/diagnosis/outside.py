"""Reasons that lie outside of the code, in the words of whatever tool met them."""

import re

OUTSIDE = re.compile(
    # network and names
    r"\b(?:ETIMEDOUT|ECONNRESET|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ESOCKETTIMEDOUT)\b"
    r"|i/o timeout|TLS handshake timeout|[Cc]onnection (?:timed out|reset|refused|aborted)|no such host"
    r"|[Tt]emporary failure in name resolution|[Tt]emporary failure resolving|[Cc]ould not resolve host"
    r"|Name or service not known|[Nn]etwork is unreachable|NewConnectionError|ConnectTimeout|ReadTimeoutError"
    r"|Unknown host|UnknownHostException|context deadline exceeded|net/http: request canceled|dns error"
    r"|socket hang up|error sending request for url"
    # servers that are busy or down, and limits
    r"|toomanyrequests|[Tt]oo [Mm]any [Rr]equests|rate limit|\bHTTP(?:/[\d.]+)?[ :]+(?:429|50[0234])\b"
    r"|(?:status(?: code)?|error):? ?.{0,80}\b(?:429|50[0234])\b|Service Unavailable|Bad Gateway|Gateway Time-?out"
    # certificates
    r"|certificate (?:has expired|is not yet valid)|CERT_HAS_EXPIRED|certificate has expired or is not yet valid"
    r"|UNABLE_TO_GET_ISSUER_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT|CERTIFICATE_VERIFY_FAILED"
    r"|x509: certificate"
    # the machine
    r"|[Nn]o space left on device|\bENOSPC\b|[Cc]annot allocate memory"
)
_AMBIGUOUS = re.compile(
    r"No matching distribution|Could not find a version|failed to solve|failed to resolve source metadata"
    r"|Could not resolve|[Ff]ailed to (?:fetch|download|get)|[Uu]nable to (?:select|locate|fetch)|[Cc]ould not (?:find|transfer|GET)"
    r"|initializing source|copying|Error response from daemon|Failed to query|registry"
)


def outside(message: str) -> bool:
    """Whether the words themselves name a reason outside of the code."""
    return OUTSIDE.search(message) is not None


def ambiguous(message: str) -> bool:
    """Whether something was not got, for whatever reason the lines around may tell."""
    return _AMBIGUOUS.search(message) is not None
