package docs

import (
	"regexp"
	"sync"
)

// lazy compiles a pattern when it is first used. No pattern or word list of
// this package is prepared at a program's start: together they take longer than
// most functions need to begin, and most starts answer no message.
func lazy(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
