"""What no change of code heals: network, disk, memory, lost runners, time and rate limits."""

from codeb_mcp.diagnosis.rules import Rule, Weight, rule
from codeb_mcp.domain.incident import IncidentType

INFRA, DEPENDENCY, CONFIG = (
    IncidentType.INFRASTRUCTURE,
    IncidentType.DEPENDENCY_ERROR,
    IncidentType.CONFIG_ERROR,
)

_CREDENTIAL = r"\b[\w-]*(?:TOKEN|SECRET|PASSWORD|API_?KEY|ACCESS_KEY|CREDENTIALS?|token|secret|password|api[_-]?key)[\w-]*"

RULES: tuple[Rule, ...] = (
    rule(
        "credentials",
        INFRA,
        ("nput required",),
        rf"(?P<message>Input required and not supplied: {_CREDENTIAL}.*)",
    ),
    rule(
        "credentials",
        INFRA,
        ("missing", "undefined", "not found", "rror"),
        rf"(?P<message>.{{0,120}}{_CREDENTIAL}['\"`]? (?:environment variable )?(?:is |was |must be )?(?:not set|missing|not found|required|undefined|empty|not provided|set)\b.*)",
        weight=Weight.HINT,
    ),
    rule(
        "credentials",
        INFRA,
        ("rror", "denied", "atal", "ould not", "FAIL", "fail", "nauthorized"),
        r"(?P<message>(?:Username and password required|Password required|Username required|Credentials could not be loaded.*"
        r"|fatal: could not read (?:Username|Password) for .+|fatal: Authentication failed for .+|Bad credentials"
        r"|Permission denied \(publickey.*|Host key verification failed.*|unauthorized: authentication required.*"
        r"|denied: denied|denied: permission_denied.*|denied: installation not allowed.*|Resource not accessible by integration.*"
        r"|(?:npm (?:ERR!|error) code )(?:ENEEDAUTH|E401)\b.*))$",
        weight=Weight.SUMMARY,
    ),
    rule(
        "certificate",
        INFRA,
        ("rror", "expired", "nable to"),
        r"(?P<message>.*(?:certificate has expired|certificate is not yet valid|CERT_HAS_EXPIRED|certificate verify failed: certificate has expired).*)",
        weight=Weight.SUMMARY,
    ),
    rule(
        "disk",
        INFRA,
        ("No space left", "no space left"),
        r"(?P<message>\S.*[Nn]o space left on device.*|No space left on device.*)",
        within=True,
    ),
    rule("disk", INFRA, "ENOSPC", r"(?P<message>.*\bENOSPC\b.*)"),
    rule("disk", INFRA, ("isk quota",), r"(?P<message>.*[Dd]isk quota exceeded.*)"),
    rule(
        "memory",
        INFRA,
        "heap out of memory",
        r"(?P<message>(?:FATAL ERROR: )?.*JavaScript heap out of memory)",
    ),
    rule(
        "memory",
        INFRA,
        ("illed process", "OOMKilled", "oom-kill"),
        r"(?P<message>.*(?:Out of memory: Killed process|OOMKilled|oom-kill(?:er)?\b).*)",
    ),
    rule(
        "memory",
        INFRA,
        "annot allocate memory",
        r"(?P<message>.*Cannot allocate memory.*)",
        weight=Weight.SUMMARY,
    ),
    rule(
        "memory",
        INFRA,
        "illed",
        r"^(?:/\S+: line \d+:\s+\d+ |\S+: \S*:? ?)?(?P<message>Killed\b.*)$",
        weight=Weight.SUMMARY,
    ),
    rule(
        "memory", INFRA, ("illed",), r"(?P<message>.*\bsignal: killed\b.*)", weight=Weight.SUMMARY
    ),
    rule(
        "memory",
        INFRA,
        ("exit code 137", "exit code: 137", "exited with code 137"),
        r"(?P<message>.*exit(?:ed with)? code:? 137\b.*)",
        weight=Weight.HINT,
    ),
    rule(
        "runner",
        INFRA,
        ("lost communication", "shutdown signal", "hosted runner"),
        r"(?P<message>.*(?:lost communication with the server|The runner has received a shutdown signal|The hosted runner (?:encountered an error|lost)).*)",
    ),
    rule(
        "runner", INFRA, ("ystem failure",), r"(?P<message>ERROR: Job failed \(system failure\).*)"
    ),
    rule(
        "runner",
        INFRA,
        (
            "maximum execution time",
            "timed out after",
            "took longer than",
            "no output",
            "time limit",
            "exceeded the",
        ),
        r"(?P<message>.*(?:exceeded the maximum (?:execution )?time|has timed out after \d+ (?:minutes|seconds)|execution took longer than|No output has been received in the last|Too long with no output|The job exceeded the maximum|exceeded the time limit|exceeded the maximum time limit).*)",
    ),
    rule(
        "runner",
        INFRA,
        ("as canceled",),
        r"^(?:Error: )?(?P<message>The (?:operation|run|job) was canceled\.?)",
        weight=Weight.HINT,
    ),
    rule(
        "rate limit",
        INFRA,
        ("rate limit", "limit exceeded", "oomanyrequests", "oo Many Requests"),
        r"(?P<message>.*(?:API rate limit exceeded|secondary rate limit|pull rate limit|toomanyrequests|[Rr]ate limit(?:ed| exceeded| reached)|429 Too Many Requests).*)",
        weight=Weight.SUMMARY,
    ),
    rule(
        "network",
        INFRA,
        "ould not resolve host",
        r"(?P<message>.*(?:Could not resolve host|could not resolve host).*)",
        weight=Weight.SUMMARY,
    ),
    rule(
        "network",
        INFRA,
        ("nable to access",),
        r"(?P<message>fatal: unable to access .+)",
        weight=Weight.SUMMARY,
    ),
    rule(
        "network",
        INFRA,
        ("ould not read from remote", "early EOF", "RPC failed", "requested URL returned error"),
        r"(?P<message>.*(?:fatal: early EOF|error: RPC failed|fatal: the remote end hung up|The requested URL returned error: 5\d\d).*)",
        weight=Weight.SUMMARY,
    ),
    rule(
        "curl",
        INFRA,
        ("curl: (",),
        r"^(?P<message>curl: \((?:5|6|7|16|18|28|35|52|55|56|92)\) .+)",
        weight=Weight.SUMMARY,
    ),
    rule(
        "wget",
        INFRA,
        ("nable to resolve host", "failed: "),
        r"(?P<message>wget: (?:unable to resolve host|bad address|can't connect).*)",
        weight=Weight.SUMMARY,
    ),
    rule(
        "apt",
        INFRA,
        ("Failed to fetch", "emporary failure"),
        r"(?:[EW]: )?(?P<message>(?:Failed to fetch http\S+|Temporary failure (?:resolving|in name resolution)).*)",
        weight=Weight.SUMMARY,
    ),
    rule(
        "apt",
        DEPENDENCY,
        (
            "nable to locate package",
            "ould not open lock",
            "nable to fetch",
            "unmet dependencies",
            "has no installation",
            "nable to correct",
        ),
        r"^E: (?P<message>(?:Unable to locate package|Package '.+' has no installation candidate|Unable to correct problems|Version '.+' for '.+' was not found).*)",
    ),
    rule(
        "apk",
        DEPENDENCY,
        ("rror", "nable to select", "no such package"),
        r"^\s*(?P<message>\S+ \(no such package\):.*|ERROR: unable to select packages:.*)",
        weight=Weight.SUMMARY,
    ),
    rule(
        "network",
        INFRA,
        (
            "imeout",
            "timed out",
            "refused",
            "reset by peer",
            "ETIMEDOUT",
            "ECONN",
            "EAI_AGAIN",
            "ENOTFOUND",
        ),
        r"(?P<message>.*(?:TLS handshake timeout|i/o timeout|[Cc]onnection timed out|connect: connection refused|[Cc]onnection reset by peer|ETIMEDOUT|ECONNRESET|EAI_AGAIN|getaddrinfo ENOTFOUND|net/http: request canceled).*)",
        weight=Weight.HINT,
    ),
    rule(
        "network",
        INFRA,
        ("ervice Unavailable", "ad Gateway", "ateway Time", "nternal Server Error"),
        r"(?P<message>.*\b(?:503 Service Unavailable|502 Bad Gateway|504 Gateway Time-?out|500 Internal Server Error)\b.*)",
        weight=Weight.HINT,
    ),
)
