package docs_test

import (
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"strings"
	"testing"

	"parley/shared/parley"
	keys "parley/shared/token"
)

const (
	master  = "a master secret of forty characters, okay"
	project = parley.ProjectID("shop")
	kid     = "k1"
)

func keyring(t *testing.T) *keys.Keyring {
	t.Helper()
	k, err := keys.New(keys.Config{Masters: [][]byte{[]byte(master)}})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// program finds an interpreter.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing", name)
		}
		t.Skipf("%s is missing: its examples are not run", name)
	}
	return path
}

// example returns the code block of identity.md that defines a function.
func example(t *testing.T, info, function string) string {
	t.Helper()
	for _, f := range page(t, "identity.md").fences {
		if f.info == info && strings.Contains(f.text, function+"(") {
			return f.text
		}
	}
	t.Fatalf("identity.md has no %s example with %s", info, function)
	return ""
}

// execute runs a script and returns what it prints.
func execute(t *testing.T, script string, command ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), command[0], command[1:]...)
	c.Stdin = strings.NewReader(script)
	var refusals strings.Builder
	c.Stderr = &refusals
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, refusals.String())
	}
	return strings.TrimSpace(string(out))
}

// The programs that identity.md has customers copy sign what is accepted.
func TestIdentityExamplesAreAccepted(t *testing.T) {
	k := keyring(t)
	secret := k.SigningSecret(project, kid)
	customer := `{"id": "u-1", "email": "ann@example.com", "name": "Ann"}`
	tests := []struct {
		name, program, info, function, call string
		flags                               []string
	}{
		{"Node.js", "node", "js", "signIdentity",
			"process.stdout.write(signIdentity(" + customer + ", '" + kid + "', '" + secret + "'));", []string{"--input-type=module", "-"}},
		{"Python", "python3", "python", "sign_identity",
			"print(sign_identity(" + customer + ", '" + kid + "', '" + secret + "'))", []string{"-"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := program(t, test.program)
			text := execute(t, example(t, test.info, test.function)+test.call+"\n", append([]string{path}, test.flags...)...)
			got, err := k.ReadIdentity(&parley.Project{ID: project, SigningKeys: []string{kid}}, text)
			if err != nil || got.External != "u-1" || got.Email != "ann@example.com" || got.Name != "Ann" {
				t.Errorf("ReadIdentity = %+v, %v", got, err)
			}
		})
	}
}

func TestSigningSecretExample(t *testing.T) {
	path := program(t, "python3")
	got := execute(t, example(t, "python", "signing_secret")+
		"print(signing_secret('"+master+"', '"+string(project)+"', '"+kid+"'))\n", path, "-")
	if want := keyring(t).SigningSecret(project, kid); got != want {
		t.Errorf("signing_secret = %q, want %q", got, want)
	}
}

// The Go example is at least Go; what it calls is tested with package token.
func TestGoExampleParses(t *testing.T) {
	text := "package example\n" + example(t, "go", "signIdentity")
	if _, err := parser.ParseFile(token.NewFileSet(), "example.go", text, 0); err != nil {
		t.Error(err)
	}
}
