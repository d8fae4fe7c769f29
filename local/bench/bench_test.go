// Package bench measures what Parley costs and how quick it is, and compares it
// with goals. All figures are counts, or ratios to what the same run measured, so
// that they hold on any machine.
//
// As a test it checks what can be counted in virtual time. With -report, as in
// `make bench`, it measures everything and prints one table.
package bench

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var (
	report = flag.Bool("report", false, "measure everything and print one table")
	check  = flag.Bool("check", false, "fail if a goal is missed, with -report too")
)

// tiers are the groups of rows. A counted one is the same on every machine and
// takes seconds.
var tiers = []struct {
	name    string
	counted bool
	measure func(*tier)
}{
	{"Waves", true, measureWaves},
	{"Turn", true, measureTurn},
	{"History", true, measureHistory},
	{"OpenCX", true, measureOpenCX},
	{"Dollars", true, measureDollars},
	{"Month", true, measureMonth},
	{"Stranger", true, measureStranger},
	{"Hissuno", true, measureHissuno},
	{"ChatHub", true, measureChatHub},
	{"Cossistant", true, measureCossistant},
	{"Smooth", true, measureSmooth},
	{"SmoothProcess", false, measureSmoothProcess},
	{"FirstText", false, measureFirstText},
	{"Binaries", false, measureBinaries},
	{"Live", false, measureLive},
	{"Widget", false, measureWidget},
	{"Crowd", false, measureCrowd},
}

// TestGoals fails if a goal is missed; a report only says so, unless with -check.
func TestGoals(t *testing.T) {
	var rows []row
	for _, group := range tiers {
		if !group.counted && !*report {
			continue
		}
		in, began := &tier{}, time.Now()
		t.Run(group.name, func(t *testing.T) {
			in.T = t
			group.measure(in)
		})
		if in.T == nil {
			continue // -run leaves it out
		}
		if in.lacks != "" || in.Failed() {
			in.note(group.name, "not measured: "+orElse(in.lacks, "it failed"))
		}
		rows = append(rows, in.rows...)
		if *report {
			fmt.Fprintf(os.Stderr, "%-10s %3.0f s\n", group.name, time.Since(began).Seconds())
		}
	}
	if *report {
		fmt.Printf("\n%d cores, %s/%s\n\n", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
		print(os.Stdout, rows)
	}
	for _, r := range rows {
		if r.missed && (*check || !*report) {
			t.Errorf("%s: %s, want %s", r.name, r.measured, r.goal)
		}
	}
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// tier is one group of rows being measured.
type tier struct {
	*testing.T
	rows  []row
	lacks string // why it cannot be measured here
}

// Skip says what the machine lacks.
func (t *tier) Skip(args ...any) {
	t.lacks = fmt.Sprint(args...)
	t.T.Skip(args...)
}

// Skipf says what the machine lacks.
func (t *tier) Skipf(format string, args ...any) { t.Skip(fmt.Sprintf(format, args...)) }

// row is a line of the table. One without a goal explains others.
type row struct {
	name, measured, goal string
	missed               bool
}

// note adds a line without a goal.
func (t *tier) note(name, measured string) {
	t.rows = append(t.rows, row{name: name, measured: measured})
}

// hold adds a line with a goal that is met or not.
func (t *tier) hold(name, measured, goal string, met bool) {
	t.rows = append(t.rows, row{name, measured, goal, !met})
}

// atMost adds a line whose goal is a bound. Format writes both.
func (t *tier) atMost(name, format string, value, bound float64) {
	t.hold(name, fmt.Sprintf(format, value), "≤ "+fmt.Sprintf(format, bound), value <= bound)
}

// print writes rows as a Markdown table.
func print(w io.Writer, rows []row) {
	lines := [][]string{{"what", "measured", "goal", "met"}, {"---", "---", "---", "---"}}
	for _, r := range rows {
		met := ""
		switch {
		case r.missed:
			met = "**NO**"
		case r.goal != "":
			met = "yes"
		}
		lines = append(lines, []string{r.name, r.measured, r.goal, met})
	}
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range lines {
		for i, cell := range line {
			fmt.Fprint(w, "| ", cell, strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)), " ")
		}
		fmt.Fprintln(w, "|")
	}
}
