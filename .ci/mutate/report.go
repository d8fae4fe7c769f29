package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// String is a mutant as it is printed.
func (m *mutant) String() string {
	name := m.file
	if root, err := os.Getwd(); err == nil {
		if short, err := filepath.Rel(root, name); err == nil {
			name = short
		}
	}
	said := map[outcome]string{survived: "survived", unreached: "survived: no test reaches it", caught: "caught by " + m.by, endless: "caught: does not end, " + m.by}
	return fmt.Sprintf("%s:%d: %s: %s", name, m.line, m.what, said[m.outcome])
}

// report prints who survived, and a line a package. It returns the share that was
// caught, in percent; of nothing all is.
func report(w io.Writer, tried []*mutant) float64 {
	ordered := slices.SortedFunc(slices.Values(tried), func(a, b *mutant) int { return cmp.Compare(a.id, b.id) })
	fmt.Fprintln(w, "\nSurvived:")
	counts := map[string]map[outcome]int{}
	for _, m := range ordered {
		if !m.isCaught() {
			fmt.Fprintln(w, m)
		}
		for _, of := range []string{m.pkg.path, "all"} {
			if counts[of] == nil {
				counts[of] = map[outcome]int{}
			}
			counts[of][m.outcome]++
		}
	}
	fmt.Fprintf(w, "\n%-34s %7s %7s %8s %9s %10s\n", "package", "tried", "caught", "endless", "survived", "unreached")
	share := 100.0
	for _, of := range slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if a == "all" || b == "all" {
			return cmp.Compare(b, a) // the sum comes last
		}
		return cmp.Compare(a, b)
	}) {
		c := counts[of]
		sum := c[caught] + c[endless] + c[survived] + c[unreached]
		share = 100 * float64(c[caught]+c[endless]) / float64(sum)
		fmt.Fprintf(w, "%-34s %7d %7d %8d %9d %10d %7.1f %%\n", of, sum, c[caught], c[endless], c[survived], c[unreached], share)
	}
	return share
}
