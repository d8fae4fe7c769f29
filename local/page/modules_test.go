package page_test

import (
	"testing"

	"parley/local/page"
	"parley/shared/browsertest"
	"parley/shared/web"
)

func TestModules(t *testing.T) {
	handler, err := page.New(page.Config{})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := web.Policy()
	if err != nil {
		t.Fatal(err)
	}
	browsertest.Modules(t, handler, policy, "testdata/unit.js")
}
