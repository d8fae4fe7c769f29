package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMutants changes a module that has something of everything, with tests that
// overlook some of it, and is told of every mutant what became of it.
func TestMutants(t *testing.T) {
	t.Chdir("testdata/module")
	var said strings.Builder
	c := config{packages: []string{"./rules"}, procs: 4, verbose: true, patience: 5 * time.Second}
	share, err := c.run(t.Context(), &said)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(said.String()) {
		if _, mutant, ok := strings.Cut(line, "s  rules/rules.go:"); ok {
			got = append(got, strings.TrimSpace(mutant))
		}
	}
	slices.Sort(got)
	golden, err := os.ReadFile("../mutants.txt")
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Split(strings.TrimSpace(string(golden)), "\n"); !slices.Equal(got, want) {
		t.Errorf("the mutants are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	survived := 0
	for _, line := range got {
		if strings.Contains(line, ": survived") {
			survived++
		}
	}
	if want := 100 * float64(len(got)-survived) / float64(len(got)); share != want || !strings.Contains(said.String(), fmt.Sprintf("%.1f %%", want)) {
		t.Errorf("the share is %v, want %v, of %s", share, want, said.String())
	}
}

// TestFailsAnyway: a test that fails anyway is an
// error, for all mutants would seem to be caught.
func TestFailsAnyway(t *testing.T) {
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("testdata/module")); err != nil {
		t.Fatal(err)
	}
	broken := "package rules\n\nimport \"testing\"\n\nfunc TestBroken(t *testing.T) { t.Fatal(\"always\") }\n"
	if err := os.WriteFile(filepath.Join(folder, "rules/broken_test.go"), []byte(broken), 0o666); err != nil {
		t.Fatal(err)
	}
	t.Chdir(folder)
	c := config{packages: []string{"./rules"}, procs: 2, at: "rules.go:33", patience: time.Minute}
	if _, err := c.run(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), "TestBroken") {
		t.Errorf("run = %v, want that TestBroken fails", err)
	}
	c.skip = "TestBroken"
	if share, err := c.run(t.Context(), io.Discard); err != nil || share != 100 {
		t.Errorf("without it, run = %v, %v", share, err)
	}
}

func TestPick(t *testing.T) {
	var all []*mutant
	for n := range 50 {
		all = append(all, &mutant{id: n + 1, file: fmt.Sprintf("/m/%c.go", 'a'+n%2), line: n})
	}
	ids := func(some []*mutant) (ids []int) {
		for _, m := range some {
			ids = append(ids, m.id)
		}
		return ids
	}
	first, again, other := ids(pick(all, "", 10, 1)), ids(pick(all, "", 10, 1)), ids(pick(all, "", 10, 2))
	if len(first) != 10 || !slices.Equal(first, again) || slices.Equal(first, other) {
		t.Errorf("samples are %v, %v and of another seed %v", first, again, other)
	}
	if got := pick(all, "a.go", 0, 1); len(got) != 25 {
		t.Errorf("%d are of one file, want 25", len(got))
	}
	if got := ids(pick(all, "b.go:7", 0, 1)); !slices.Equal(got, []int{8}) {
		t.Errorf("at one line are %v", got)
	}
}

// TestBatches: the quickest tests come first, those of one package together, and
// each round has room for four times as much.
func TestBatches(t *testing.T) {
	a, b := &binary{file: "a"}, &binary{file: "b"}
	reach := map[int]bool{7: true}
	s := &suite{all: []*test{{a, "TestSlow", 3 * time.Second, reach}, {a, "TestQuick", 100 * time.Millisecond, reach}, {b, "TestOther", 50 * time.Millisecond, reach},
		{a, "TestMiddle", 900 * time.Millisecond, reach}, {a, "TestElsewhere", time.Millisecond, nil}, {a, "TestQuicker", 20 * time.Millisecond, reach}}}
	var got []string
	for _, batch := range s.batches(7) {
		got = append(got, batch.file+" "+batch.pattern())
	}
	if want := []string{"a ^(TestQuicker|TestQuick)$", "b ^(TestOther)$", "a ^(TestMiddle)$", "a ^(TestSlow)$"}; !slices.Equal(got, want) {
		t.Errorf("batches are %q, want %q", got, want)
	}
	if got := s.batches(8); len(got) != 0 {
		t.Errorf("what nobody reaches has %d batches", len(got))
	}
}
