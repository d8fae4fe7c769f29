package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"
)

// optional are the types of which a list may lack an element: each condition of a
// write has a reason, and each action of a transaction.
var optional = []string{"parley/shared/table.Condition", "parley/shared/table.Action"}

// differ makes an expression of type bool the opposite where the mutant is on.
func (s *searcher) differ(e ast.Expr, id int) { s.wrap(e, "((", fmt.Sprintf(") != mutated(%d))", id)) }

// truth negates a condition. What is composed, or compares, is not negated here:
// see binary.
func (s *searcher) truth(e ast.Expr) {
	switch e := ast.Unparen(e).(type) {
	case *ast.BinaryExpr:
	default:
		if t := s.info.Types[e]; t.Value == nil && isBool(t.Type) {
			s.differ(e, s.mutant(e, "%s → the opposite", s.short(e)))
		}
	}
}

func isBool(t types.Type) bool {
	b, ok := t.(*types.Basic)
	return ok && b.Info()&types.IsBoolean != 0
}

// cases negates the cases of a switch without a value.
func (s *searcher) cases(n *ast.SwitchStmt) {
	for _, clause := range n.Body.List {
		for _, e := range clause.(*ast.CaseClause).List {
			if n.Tag == nil {
				s.truth(e)
			}
		}
	}
}

var opposites = map[token.Token]string{token.EQL: "!=", token.NEQ: "==", token.LSS: ">=", token.LEQ: ">", token.GTR: "<=", token.GEQ: "<",
	token.LAND: "||", token.LOR: "&&"}

func (s *searcher) binary(e *ast.BinaryExpr) {
	other, known := opposites[e.Op]
	if t := s.info.Types[e]; !known || t.Value != nil || !isBool(t.Type) {
		return
	}
	x, y := s.text(e.X), s.text(e.Y)
	id := s.mutant(e, "%s → %s", s.short(e), other)
	s.differ(e, id)
	if e.Op == token.LAND || e.Op == token.LOR {
		// a && b is !(!a || !b): with all three turned round it is the other one.
		s.differ(e.X, id)
		s.differ(e.Y, id)
		s.truth(e.X)
		s.truth(e.Y)
		return
	}
	if strings.Contains(x+y, "\n") {
		return
	}
	switch e.Op {
	case token.LSS, token.GTR:
		id := s.mutant(e, "%s → %s=", s.short(e), e.Op)
		s.wrap(e, "(", fmt.Sprintf(" || mutated(%d) && %s == %s)", id, x, y))
	case token.LEQ, token.GEQ:
		id := s.mutant(e, "%s → %s", s.short(e), e.Op.String()[:1])
		s.wrap(e, "(", fmt.Sprintf(" && !(mutated(%d) && %s == %s))", id, x, y))
	}
}

// results returns no error where there is one, and the opposite of a bool.
func (s *searcher) results(n *ast.ReturnStmt) {
	wanted := s.signature().Results()
	if len(n.Results) != wanted.Len() {
		return
	}
	for i, e := range n.Results {
		switch t := wanted.At(i).Type(); {
		case isBool(t):
			s.truth(e)
		case types.Identical(t, types.Universe.Lookup("error").Type()) && !s.info.Types[e].IsNil():
			s.wrap(e, fmt.Sprintf("mutatedError(%d, ", s.mutant(e, "return %s → no error", s.short(e))), ")")
		}
	}
}

// signature is the innermost function's.
func (s *searcher) signature() *types.Signature {
	for _, n := range slices.Backward(s.parents) {
		switch n := n.(type) {
		case *ast.FuncLit:
			return s.info.Types[n].Type.(*types.Signature)
		case *ast.FuncDecl:
			return s.info.Defs[n.Name].Type().(*types.Signature)
		}
	}
	panic("a statement outside of a function")
}

// statements leaves out what has an effect and declares nothing.
func (s *searcher) statements(list []ast.Stmt) {
	for _, stmt := range list {
		if s.droppable(stmt) {
			s.wrap(stmt, fmt.Sprintf("if !mutated(%d) { ", s.mutant(stmt, "without %s", s.short(stmt))), " }")
		}
	}
}

func (s *searcher) droppable(stmt ast.Stmt) bool {
	switch stmt := stmt.(type) {
	case *ast.ExprStmt:
		call, ok := stmt.X.(*ast.CallExpr)
		return ok && s.noticeable(call)
	case *ast.DeferStmt:
		return s.noticeable(stmt.Call)
	case *ast.AssignStmt:
		blank, ok := stmt.Lhs[0].(*ast.Ident)
		return stmt.Tok != token.DEFINE && !(ok && blank.Name == "_" && len(stmt.Lhs) == 1)
	case *ast.IncDecStmt, *ast.GoStmt, *ast.SendStmt:
		return true
	}
	return false
}

// noticeable is false for what tests do not see: a lock, which only the race
// detector misses, and a line of a log. Without a panic a function may lack its end.
func (s *searcher) noticeable(call *ast.CallExpr) bool {
	switch fn := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		return fn.Name != "panic"
	case *ast.SelectorExpr:
		of := strings.TrimPrefix(types.TypeString(s.info.Types[fn.X].Type, nil), "*")
		return of != "sync.Mutex" && of != "sync.RWMutex" && of != "log/slog.Logger"
	}
	return true
}

func isOptional(t types.Type) bool { return slices.Contains(optional, types.TypeString(t, nil)) }

// arguments leaves out an element of a list that is given one by one.
func (s *searcher) arguments(call *ast.CallExpr) {
	fn, ok := s.info.Types[call.Fun].Type.(*types.Signature)
	if !ok || !fn.Variadic() || call.Ellipsis.IsValid() || len(call.Args) < fn.Params().Len() {
		return
	}
	list, ok := fn.Params().At(fn.Params().Len() - 1).Type().(*types.Slice)
	if !ok || !isOptional(list.Elem()) {
		return
	}
	given := call.Args[fn.Params().Len()-1:]
	s.wrapFrom(given[0], given[len(given)-1], s.list(list, given), ")...")
}

// elements leaves out an element of a list that is written out.
func (s *searcher) elements(n *ast.CompositeLit) {
	list, ok := s.info.Types[n].Type.(*types.Slice)
	if ok && isOptional(list.Elem()) && len(n.Elts) > 0 {
		s.wrap(n, s.list(list, n.Elts), "...)")
	}
}

// list makes a mutant for each element. It returns how the call begins that leaves
// the element out.
func (s *searcher) list(of *types.Slice, elements []ast.Expr) string {
	ids := make([]string, len(elements))
	for i, e := range elements {
		ids[i] = strconv.Itoa(s.mutant(e, "without %s", s.short(e)))
	}
	name, ok := s.typeName(of.Elem())
	if ok {
		name = "[" + name + "]"
	} else {
		name = "" // then no element is an untyped constant, or the file could name it
	}
	return fmt.Sprintf("mutatedList%s([]int{%s}, ", name, strings.Join(ids, ", "))
}

// number makes a whole number one more, and one less unless it is 0. Left alone
// are modes of files, shifts, capacities, and what the compiler has to know.
func (s *searcher) number(n *ast.BasicLit) {
	if n.Kind != token.INT || len(n.Value) > 1 && n.Value[0] == '0' || s.constant(n) {
		return
	}
	t := s.info.Types[n].Type
	if b, ok := t.Underlying().(*types.Basic); !ok || b.Info()&types.IsInteger == 0 || b.Info()&types.IsUntyped != 0 {
		return
	}
	name, ok := s.typeName(t)
	if !ok {
		return
	}
	around := s.around(n)
	more, less := s.mutant(n, "%s in %s → one more", n.Value, around), 0
	if n.Value != "0" {
		less = s.mutant(n, "%s in %s → one less", n.Value, around)
	}
	s.wrap(n, fmt.Sprintf("mutatedNumber[%s](%d, %d, ", name, more, less), ")")
}

func (s *searcher) constant(n ast.Expr) bool {
	switch p := s.parent().(type) {
	case *ast.BinaryExpr:
		return p.Op == token.SHL || p.Op == token.SHR
	case *ast.AssignStmt:
		return p.Tok == token.SHL_ASSIGN || p.Tok == token.SHR_ASSIGN
	case *ast.KeyValueExpr:
		return p.Key == n
	case *ast.CallExpr:
		fn, ok := p.Fun.(*ast.Ident)
		return ok && fn.Name == "make"
	}
	return false
}

// around is the smallest expression around a number that tells where it stands.
func (s *searcher) around(n ast.Expr) string {
	if p, ok := s.parent().(ast.Expr); ok {
		return s.short(p)
	}
	if p, ok := s.parent().(ast.Stmt); ok {
		return s.short(p)
	}
	return s.short(n)
}
