// Tally reads the events of `go test -json` and counts tests.
//
//	go test -json ./... | tally FILE    appends the events to FILE; prints failures, and a line a package
//	tally -sum FILE                     prints the closing line of all events in FILE
//
// With -sum it exits 1 if anything failed, if no test ran, or if the
// environment says CI=true and a test was skipped.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is a line of `go test -json`; see `go doc test2json`. Build output
// names an ImportPath in place of a Package.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64 // seconds
}

func main() {
	sum := flag.Bool("sum", false, "print the closing line")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: tally [-sum] FILE")
		os.Exit(2)
	}
	run := record
	if *sum {
		run = summarize
	}
	if err := run(flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// record copies standard input to the end of a file and shows what matters.
func record(name string) error {
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer file.Close()
	s := newScreen(os.Stdout)
	return each(io.TeeReader(os.Stdin, file), s.show)
}

func summarize(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	c := newCount()
	if err := each(file, c.add); err != nil {
		return err
	}
	return c.close(os.Stdout, os.Getenv("CI") == "true")
}

// each calls do with every event. A line that is none comes from the go command
// itself and is shown as it is.
func each(r io.Reader, do func(event)) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		var e event
		if json.Unmarshal([]byte(line), &e) == nil {
			do(e)
		} else if strings.TrimSpace(line) != "" {
			do(event{Action: "build-output", Output: line})
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// screen shows events: a failed test with all it said, a skipped one with its
// reason, and a line a package.
type screen struct {
	out  io.Writer
	said map[string][]string // by package and test
}

func newScreen(out io.Writer) *screen { return &screen{out, map[string][]string{}} }

func (s *screen) show(e event) {
	id := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		s.said[id] = append(s.said[id], e.Output)
		return
	case "build-output":
		fmt.Fprint(s.out, e.Output)
		return
	case "pass", "fail", "skip":
	default:
		return
	}
	// A package repeats the last words of its tests, so it is heard only if
	// none of them tells why it failed.
	if e.Action == "fail" || e.Action == "skip" && e.Test != "" {
		fmt.Fprint(s.out, strings.Join(s.said[id], ""))
	}
	delete(s.said, id)
	if e.Test == "" && e.Action != "skip" {
		fmt.Fprintf(s.out, "%-5s %-45s %6.1f s\n", e.Action, e.Package, e.Elapsed)
	}
}

// count is what became of the tests and subtests.
type count struct {
	passed, failed, skipped int
	broken                  map[string]bool // packages with a failed test
}

func newCount() *count { return &count{broken: map[string]bool{}} }

func (c *count) add(e event) {
	switch {
	case e.Action == "pass" && e.Test != "":
		c.passed++
	case e.Action == "skip" && e.Test != "":
		c.skipped++
	case e.Action == "fail" && e.Test != "":
		c.failed++
		c.broken[e.Package] = true
	case e.Action == "fail" && !c.broken[e.Package]: // it did not compile, or ended early
		c.failed++
	}
}

// close prints the closing line. The error says why all is not well.
func (c *count) close(out io.Writer, strict bool) error {
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", c.passed, c.failed, c.skipped)
	switch {
	case c.failed > 0:
		return fmt.Errorf("tests failed")
	case c.passed == 0:
		return fmt.Errorf("no test ran")
	case strict && c.skipped > 0:
		return fmt.Errorf("tests were skipped, and CI=true allows none to be")
	}
	return nil
}
