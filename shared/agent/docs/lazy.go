package docs

import (
	"regexp"
	"sync"
)

// lazy compiles a pattern when it is first used. Nothing in this package is
// prepared at the start of the program: all patterns and word lists together
// would take longer than the rest of a function's start, and most starts answer
// no message.
func lazy(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
