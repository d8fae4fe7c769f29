package deploytest

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestLinked: no function links what holds WebSockets, which on AWS API Gateway does,
// nor anything else of what only runs on one machine, nor what reads a person's settings
// for AWS, which make project needs.
func TestLinked(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	list := func(packages string) (deps map[string][]string) {
		cmd := exec.Command("go", "list", "-tags", "lambda.norpc", "-f", `{{.ImportPath}} {{join .Deps " "}}`, packages)
		cmd.Dir = root
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		deps = map[string][]string{}
		for line := range strings.Lines(string(out)) {
			words := strings.Fields(line)
			deps[words[0]] = words[1:]
		}
		return deps
	}
	local := func(p string) bool {
		return strings.Contains(p, "websocket") || strings.HasPrefix(p, "parley/local/") || strings.HasSuffix(p, "/aws-sdk-go-v2/config")
	}
	functions := 0
	for name, deps := range list("./functions/...") {
		if !strings.HasSuffix(name, "/bootstrap") {
			continue
		}
		functions++
		if i := slices.IndexFunc(deps, local); i >= 0 {
			t.Errorf("%s links %s", name, deps[i])
		}
	}
	if functions != len(routes) {
		t.Errorf("%d functions, want %d", functions, len(routes))
	}
	if !slices.ContainsFunc(list("./local")["parley/local"], local) {
		t.Error("make run links no WebSockets either: what is looked for has another name")
	}
}
