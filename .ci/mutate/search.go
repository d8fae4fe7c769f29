package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// mutant is one change of behaviour, switched on by its number.
type mutant struct {
	id   int // from 1
	pkg  *pkg
	file string // absolute
	line int
	// what says what is changed into what.
	what string

	outcome outcome
	// by is the test that caught it, or which of the process's tests did not end.
	by string
}

// where is file:line, without folders.
func (m *mutant) where() string {
	return fmt.Sprintf("%s:%d", m.file[strings.LastIndexByte(m.file, '/')+1:], m.line)
}

// searcher finds the mutants of one file.
type searcher struct {
	*pkg
	file    *file
	offset  int // mutants before the package's
	found   *[]*mutant
	parents []ast.Node
}

// search finds the mutants of a package, numbered on from those before, and
// notes in its files what has to be wrapped for them.
func (p *pkg) search(before int) []*mutant {
	var found []*mutant
	for _, f := range p.files {
		s := &searcher{pkg: p, file: f, offset: before, found: &found}
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
				s.parents = []ast.Node{fn}
				ast.Inspect(fn.Body, s.visit)
			}
		}
	}
	return found
}

func (s *searcher) visit(n ast.Node) bool {
	if n == nil {
		s.parents = s.parents[:len(s.parents)-1]
		return true
	}
	switch n := n.(type) {
	case *ast.GenDecl:
		if n.Tok == token.CONST {
			return false // what is computed from it has to be known to the compiler
		}
	case *ast.ArrayType:
		return false
	case *ast.BlockStmt:
		s.statements(n.List)
	case *ast.CaseClause:
		s.statements(n.Body)
	case *ast.CommClause:
		s.statements(n.Body)
	case *ast.IfStmt:
		s.truth(n.Cond)
	case *ast.SwitchStmt:
		s.cases(n)
	case *ast.BinaryExpr:
		s.binary(n)
	case *ast.ReturnStmt:
		s.results(n)
	case *ast.CallExpr:
		s.arguments(n)
	case *ast.CompositeLit:
		s.elements(n)
	case *ast.BasicLit:
		s.number(n)
	}
	s.parents = append(s.parents, n)
	return true
}

// parent is the node around the one that is visited.
func (s *searcher) parent() ast.Node { return s.parents[len(s.parents)-1] }

// mutant notes one more and returns its number.
func (s *searcher) mutant(at ast.Node, what string, args ...any) int {
	m := &mutant{id: s.offset + len(*s.found) + 1, pkg: s.pkg, file: s.file.name, line: s.fset.Position(at.Pos()).Line, what: fmt.Sprintf(what, args...)}
	*s.found = append(*s.found, m)
	return m.id
}

func (s *searcher) wrap(n ast.Node, before, after string) { s.wrapFrom(n, n, before, after) }

// wrapFrom wraps everything from the beginning of one node to the end of another.
func (s *searcher) wrapFrom(first, last ast.Node, before, after string) {
	s.file.wraps = append(s.file.wraps, wrap{s.fset.Position(first.Pos()).Offset, s.fset.Position(last.End()).Offset, before, after})
}

func (s *searcher) text(n ast.Node) string {
	return string(s.file.source[s.fset.Position(n.Pos()).Offset:s.fset.Position(n.End()).Offset])
}

func (s *searcher) short(n ast.Node) string { return oneLine(s.text(n)) }

// typeName is how the file can name a type; ok is false if it cannot.
func (s *searcher) typeName(t types.Type) (name string, ok bool) {
	ok = true
	name = types.TypeString(t, func(p *types.Package) string {
		if p == s.types {
			return ""
		}
		for _, spec := range s.file.syntax.Imports {
			if strings.Trim(spec.Path.Value, `"`) != p.Path() {
				continue
			}
			if spec.Name != nil {
				return spec.Name.Name
			}
			return p.Name()
		}
		ok = false
		return p.Name()
	})
	return name, ok
}
