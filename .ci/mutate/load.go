package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// pkg is a package that is to be changed.
type pkg struct {
	path, name, dir string
	files           []*file
	fset            *token.FileSet
	types           *types.Package
	info            *types.Info
}

// file is one file of it, and the changes for it.
type file struct {
	name   string // absolute
	source []byte
	syntax *ast.File
	wraps  []wrap
}

// listed is what is read of `go list -json`.
type listed struct {
	ImportPath, Name, Dir, Export string
	GoFiles                       []string
	DepOnly                       bool
}

// load parses and checks packages, with the types of what they import from the
// compiler's export data.
func load(ctx context.Context, patterns []string) ([]*pkg, error) {
	args := append([]string{"list", "-export", "-deps", "-json=ImportPath,Name,Dir,Export,GoFiles,DepOnly"}, patterns...)
	out, err := output(exec.CommandContext(ctx, "go", args...))
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	var wanted []listed
	for decoder := json.NewDecoder(out); ; {
		var l listed
		if err := decoder.Decode(&l); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		exports[l.ImportPath] = l.Export
		if !l.DepOnly {
			wanted = append(wanted, l)
		}
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	packages := make([]*pkg, len(wanted))
	for i, l := range wanted {
		if packages[i], err = check(fset, imports, l); err != nil {
			return nil, err
		}
	}
	return packages, nil
}

func check(fset *token.FileSet, imports types.Importer, l listed) (*pkg, error) {
	p := &pkg{path: l.ImportPath, name: l.Name, dir: l.Dir, fset: fset,
		info: &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}}
	var syntax []*ast.File
	for _, name := range l.GoFiles {
		f := &file{name: filepath.Join(l.Dir, name)}
		var err error
		if f.source, err = os.ReadFile(f.name); err != nil {
			return nil, err
		}
		if f.syntax, err = parser.ParseFile(fset, f.name, f.source, parser.SkipObjectResolution); err != nil {
			return nil, err
		}
		p.files, syntax = append(p.files, f), append(syntax, f.syntax)
	}
	var err error
	p.types, err = (&types.Config{Importer: imports}).Check(p.path, fset, syntax, p.info)
	return p, err
}
