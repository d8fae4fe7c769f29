package lambdatest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// releaseFlags are the flags of a release build but for the target.
var releaseFlags = []string{"-trimpath", "-tags", "lambda.norpc", "-ldflags=-s"}

// builds holds a *build for each import path.
var builds sync.Map

type build struct {
	once sync.Once
	path string
	err  error
}

// Build compiles a main package with the flags of a release for the machine
// that the test runs on, and returns the binary's path. All tests of a test
// binary share the result; it lies beside the test binary, where go test
// removes it in the end. Where the go command is missing the test is skipped,
// or fails if the environment says CI=true.
func Build(t testing.TB, importPath string) string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("cannot compile %s: %v", importPath, err)
	}
	v, _ := builds.LoadOrStore(importPath, &build{})
	b := v.(*build)
	b.once.Do(func() { b.path, b.err = compile(importPath) })
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
}

func compile(importPath string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(filepath.Dir(self), "lambdatest")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	name := strings.ReplaceAll(strings.TrimSuffix(importPath, "/bootstrap"), "/", "-")
	out := filepath.Join(dir, name)
	cmd := exec.Command("go", append(append([]string{"build", "-o", out}, releaseFlags...), importPath)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", importPath, err, text)
	}
	return out, nil
}
