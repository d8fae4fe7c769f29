package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// switches is added to every package that is changed: what the wraps call.
//
//go:embed switch.go.txt
var switches string

// compile writes an overlay with all mutants, and compiles the tests of the
// packages, and of others, over it.
func compile(ctx context.Context, folder string, packages []*pkg, mutants int, with []string) (*suite, error) {
	overlay, err := writeOverlay(folder, packages, mutants)
	if err != nil {
		return nil, err
	}
	patterns := with
	for _, p := range packages {
		patterns = append(patterns, p.path)
	}
	out, err := output(exec.CommandContext(ctx, "go", append([]string{"list", "-f", "{{.ImportPath}}\t{{.Dir}}\t{{len .TestGoFiles}}{{len .XTestGoFiles}}"}, patterns...)...))
	if err != nil {
		return nil, err
	}
	s := &suite{}
	for line := range strings.Lines(out.String()) {
		field := strings.Split(strings.TrimSpace(line), "\t")
		if field[2] == "00" {
			continue
		}
		b := &binary{dir: field[1], file: filepath.Join(folder, fmt.Sprintf("tests%d", len(s.binaries)))}
		if _, err := output(exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", b.file, field[0])); err != nil {
			return nil, err
		}
		s.binaries = append(s.binaries, b)
	}
	return s, nil
}

// writeOverlay returns the name of a file as `go build -overlay` reads it.
func writeOverlay(folder string, packages []*pkg, mutants int) (string, error) {
	replace := map[string]string{}
	add := func(name string, content []byte) error {
		replace[name] = filepath.Join(folder, fmt.Sprintf("source%d.go", len(replace)))
		return os.WriteFile(replace[name], content, 0o666)
	}
	for _, p := range packages {
		named := strings.NewReplacer("PACKAGE", p.name, "COUNT", strconv.Itoa(mutants)).Replace(switches)
		if err := add(filepath.Join(p.dir, "mutated.go"), []byte(named)); err != nil {
			return "", err
		}
		for _, f := range p.files {
			if err := add(f.name, apply(f.source, f.wraps)); err != nil {
				return "", err
			}
		}
	}
	content, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(folder, "overlay.json")
	return name, os.WriteFile(name, content, 0o666)
}

// output runs a command; its error has what the command said.
func output(c *exec.Cmd) (*bytes.Buffer, error) {
	var out, said bytes.Buffer
	c.Stdout, c.Stderr = &out, &said
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(c.Args[:2], " "), err, said.Bytes())
	}
	return &out, nil
}
