// Package functiontest is the test kit for single functions: real parts on the
// embedded table, with a scripted agent.
package functiontest

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/table/bolt"
	"parley/shared/token"
)

// Kit has a store with a project, and what functions need besides.
type Kit struct {
	Table *bolt.Table
	Store *parley.Store
	Keys  *token.Keyring
	API   *api.API
	// Key is the project's public key.
	Key string
}

// New returns a kit with the project of parleytest.
func New(t testing.TB, c parley.Config) *Kit {
	t.Helper()
	keys, err := token.New(token.Config{Masters: [][]byte{[]byte(strings.Repeat("m", token.MinMasterBytes))}})
	if err != nil {
		t.Fatal(err)
	}
	k := &Kit{Table: parleytest.Table(t), Keys: keys}
	c.Table, c.Derive = k.Table, keys.Derive
	k.Store = parleytest.Store(t, c)
	project := parleytest.Settings()
	parleytest.Put(t, k.Store, project)
	k.Key = project.PublicKeys[0]
	if k.API, err = api.New(api.Config{Store: k.Store, Keys: keys, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	return k
}

// Engine returns an engine whose agent follows the script; change may set more.
func (k *Kit) Engine(t testing.TB, script *agenttest.Script, change func(*run.Config)) *run.Engine {
	t.Helper()
	c := run.Config{Store: k.Store, Log: slog.New(slog.DiscardHandler),
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return script, nil }}
	if change != nil {
		change(&c)
	}
	engine, err := run.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

// Visitor returns a new visitor and its token.
func (k *Kit) Visitor(t testing.TB) (parley.Caller, string) {
	t.Helper()
	c := parleytest.Visitor(t, k.Store)
	text, _, err := k.Keys.Visitor(&parley.Project{ID: c.Project}, parley.Visitor{ID: c.Visitor, Contact: c.Contact, Generation: c.Generation}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return c, text
}

// Request returns a request as a visitor's page makes it.
func (k *Kit) Request(method, path, token, body string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set(api.KeyHeader, k.Key)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	return r
}

// Lacking fails the test unless build panics, as New does without what it needs.
func Lacking(t testing.TB, build func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Error("New without what it needs succeeded")
		}
	}()
	build()
}
