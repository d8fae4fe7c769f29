package main

import (
	"strings"
	"testing"
)

const (
	passed  = `{"Action":"pass","Package":"p","Test":"TestA"}` + "\n"
	failed  = `{"Action":"output","Package":"p","Test":"TestB","Output":"b.go:1: wrong\n"}` + "\n" + `{"Action":"fail","Package":"p","Test":"TestB"}` + "\n" + `{"Action":"fail","Package":"p"}` + "\n"
	skipped = `{"Action":"output","Package":"p","Test":"TestC","Output":"c.go:1: no java\n"}` + "\n" + `{"Action":"skip","Package":"p","Test":"TestC"}` + "\n"
	empty   = `{"Action":"skip","Package":"q"}` + "\n"
	broken  = `{"ImportPath":"r","Action":"build-output","Output":"r.go:1: syntax error\n"}` + "\n" + `{"Action":"fail","Package":"r","FailedBuild":"r"}` + "\n"
)

func TestClosingLine(t *testing.T) {
	tests := []struct {
		name, events string
		strict       bool
		want, err    string
	}{
		{"all pass", passed + passed + empty, true, "2 passed, 0 failed, 0 skipped", ""},
		{"a test and with it its package", passed + failed, false, "1 passed, 1 failed, 0 skipped", "failed"},
		{"does not compile", passed + broken, false, "1 passed, 1 failed, 0 skipped", "failed"},
		{"skipped on a laptop", passed + skipped, false, "1 passed, 0 failed, 1 skipped", ""},
		{"skipped in CI", passed + skipped, true, "1 passed, 0 failed, 1 skipped", "skipped"},
		{"nothing ran", empty, false, "0 passed, 0 failed, 0 skipped", "no test"},
		{"no events", "go: cannot find main module\n", false, "0 passed, 0 failed, 0 skipped", "no test"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newCount()
			if err := each(strings.NewReader(test.events), c.add); err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			err := c.close(&out, test.strict)
			if got := strings.TrimSpace(out.String()); got != test.want {
				t.Errorf("closing line = %q, want %q", got, test.want)
			}
			if (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("error = %v, want one about %q", err, test.err)
			}
		})
	}
}

func TestScreen(t *testing.T) {
	var out strings.Builder
	s := newScreen(&out)
	if err := each(strings.NewReader(passed+failed+skipped+broken+"go: warning\n"), s.show); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"b.go:1: wrong\n", "c.go:1: no java\n", "r.go:1: syntax error\n", "go: warning\n", "fail  p "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("screen lacks %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "TestA") {
		t.Errorf("screen shows what passed:\n%s", out.String())
	}
}
