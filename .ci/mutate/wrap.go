package main

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// wrap puts text before and after a part of a file. Wraps of one file nest: two of
// them are apart, or one is inside of the other. Of those around the very same
// part, the first is the outermost. They hold no line breaks, so that the lines of
// the file keep their numbers.
type wrap struct {
	from, to      int // bytes
	before, after string
}

// apply returns the source with all wraps.
func apply(source []byte, wraps []wrap) []byte {
	type insertion struct {
		at, size, order int
		text            string
		closes          bool
	}
	var all []insertion
	for i, w := range wraps {
		all = append(all, insertion{w.from, w.to - w.from, i, w.before, false}, insertion{w.to, w.to - w.from, i, w.after, true})
	}
	slices.SortFunc(all, func(a, b insertion) int {
		switch {
		case a.at != b.at:
			return a.at - b.at
		case a.closes != b.closes: // what ends here comes before what begins here
			if a.closes {
				return -1
			}
			return 1
		case a.closes: // the innermost ends first
			return cmp.Or(a.size-b.size, b.order-a.order)
		}
		return cmp.Or(b.size-a.size, a.order-b.order)
	})
	var out bytes.Buffer
	done := 0
	for _, in := range all {
		out.Write(source[done:in.at])
		out.WriteString(in.text)
		done = in.at
	}
	out.Write(source[done:])
	return out.Bytes()
}

// oneLine is code as it is shown in a report: its first line, cut.
func oneLine(code string) string {
	first, _, more := strings.Cut(code, "\n")
	if runes := []rune(first); len(runes) > 70 {
		first, more = string(runes[:70]), true
	}
	if more {
		first += " …"
	}
	return first
}
