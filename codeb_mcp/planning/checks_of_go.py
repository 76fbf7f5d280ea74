"""What checks a Go project."""

from codeb_mcp.planning.stacks import SourceTree
from codeb_mcp.planning.workflow_checks import Checks
from codeb_mcp.planning.workflow_steps import ACTIONS, Step

GOVULNCHECK = "golang.org/x/vuln/cmd/govulncheck@v1.1.4"
_FORMAT = """\
unformatted=$(gofmt -l .)
echo "$unformatted"
test -z "$unformatted\""""


def go_checks(tree: SourceTree) -> Checks | None:
    """The checks of a folder with go.mod; None where there is none."""
    if "go.mod" not in tree.names:
        return None
    inputs = {"go-version-file": "go.mod", "cache": "false"}
    return Checks(
        setup=(Step("", uses=ACTIONS["setup_go"], inputs=inputs),),
        quality=(Step("Format", _FORMAT), Step("Vet", "go vet ./...")),
        audit=(Step("Known vulnerabilities", f"go run {GOVULNCHECK} ./..."),),
        tests=(Step("Tests", "go test ./..."), Step("Build", "go build ./...")),
    )
