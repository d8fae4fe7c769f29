// Package parleytest is the test kit of the domain: a project, visitors and
// sessions on the embedded table.
package parleytest

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"testing"

	"parley/shared/parley"
	"parley/shared/table"
	"parley/shared/table/bolt"
)

// Project is the id of the project that NewStore makes.
const Project parley.ProjectID = "demo"

// Settings returns the project that NewStore stores: one agent, every origin.
func Settings() parley.Project {
	return parley.Project{ID: Project, Name: "Demo", PublicKeys: []string{"pk_test_demo"}, Origins: []string{"*"},
		Agents: []parley.AgentSettings{{ID: "guide", Name: "Guide"}}}
}

// Table returns an empty embedded table that lives as long as the test.
func Table(t testing.TB) *bolt.Table {
	t.Helper()
	tbl, err := bolt.New(bolt.Config{Path: filepath.Join(t.TempDir(), "table.db"), NoSync: true})
	if err != nil {
		t.Fatalf("open table: %v", err)
	}
	t.Cleanup(func() { tbl.Close() })
	return tbl
}

// Derive is a parley.Config.Derive with a secret that everybody knows.
func Derive(label string, parts ...string) []byte {
	h := hmac.New(sha256.New, []byte("a secret for tests only"))
	fmt.Fprintf(h, "%q %q", label, parts)
	return h.Sum(nil)
}

// Store returns a store over the table, without a project.
func Store(t testing.TB, c parley.Config) *parley.Store {
	t.Helper()
	if c.Derive == nil {
		c.Derive = Derive
	}
	if c.Table == nil {
		c.Table = Table(t)
	}
	s, err := parley.New(c)
	if err != nil {
		t.Fatalf("new store: %v", err)
	}
	return s
}

// Put stores the project.
func Put(t testing.TB, s *parley.Store, p parley.Project) {
	t.Helper()
	if err := s.PutProject(context.Background(), p); err != nil {
		t.Fatalf("put project: %v", err)
	}
}

// Visitor returns a new visitor of the project.
func Visitor(t testing.TB, s *parley.Store) parley.Caller {
	t.Helper()
	return VisitorOf(t, s, Project)
}

// VisitorOf returns a new visitor of a project.
func VisitorOf(t testing.TB, s *parley.Store, p parley.ProjectID) parley.Caller {
	t.Helper()
	got, err := s.Identify(context.Background(), parley.IdentifyRequest{Caller: parley.Caller{Project: p}})
	if err != nil {
		t.Fatalf("identify: %v", err)
	}
	return parley.Caller{Project: p, Visitor: got.Visitor.ID, Generation: got.Visitor.Generation}
}

// Operator returns a caller that acts as an operator.
func Operator() parley.Caller { return parley.Caller{Project: Project, Operator: "op"} }

// Everything returns all items of a bolt table, for comparing before and after.
func Everything(t testing.TB, tbl *bolt.Table) map[table.Key]table.Item {
	t.Helper()
	all := map[table.Key]table.Item{}
	var after uint64
	for {
		records, err := tbl.Changes(context.Background(), after, 1000)
		if err != nil {
			t.Fatalf("read changes: %v", err)
		}
		if len(records) == 0 {
			return all
		}
		for _, r := range records {
			after = r.Seq
			if r.New == nil {
				delete(all, r.Old.Key())
			} else {
				all[r.New.Key()] = r.New
			}
		}
	}
}
