package opencx

import (
	"html"
	"regexp"
	"strings"
	"unicode"
)

// Clients show what an agent wrote, and the last message of a session, as
// Markdown in which HTML is carried out as it stands. Only the server can keep a
// script out of it, be it a model's or an operator's: neutral writes text so that
// it looks the same and does nothing, whichever dialect of Markdown reads it.
//
// Nothing of it relies on telling code from text as the reader does, but for
// fenced blocks that no reader takes for anything else: there what stands is
// left as it is, so that it can be copied.

// neutral is for a whole text.
func neutral(text string) string {
	if !strings.ContainsAny(text, "<[") {
		return text
	}
	lines := strings.SplitAfter(text, "\n")
	fences, sure := fenced(lines)
	var b strings.Builder
	var open []string // lines outside of fences, together
	flush := func() {
		b.WriteString(disarm(strings.Join(open, "")))
		open = nil
	}
	for i, line := range lines {
		if sure && fences[i] {
			flush()
			b.WriteString(line)
			continue
		}
		open = append(open, line)
	}
	flush()
	return b.String()
}

// neutralLine is for the beginning of a text, which may end in the middle of
// anything.
func neutralLine(text string) string { return disarm(text) }

var (
	// anyFence begins a line that some reader may take for a fence: behind what
	// begins a quotation, an item of a list or nothing.
	anyFence = regexp.MustCompile("^[^`~\\pL]*(```|~~~)")
	// plainFence is a line that every reader takes for one, as the first thing of
	// its block; a closing one has nothing behind it.
	plainFence = regexp.MustCompile("^```[A-Za-z0-9_+#.-]*[ \t]*\r?\n?$")
	closing    = regexp.MustCompile("^```[ \t]*\r?\n?$")
)

// fenced says which lines are in fenced blocks, the fences among them. It is not
// sure where anything looks like a fence and is not one at the very beginning of
// a line, after an empty one or the beginning of the text.
func fenced(lines []string) (in []bool, sure bool) {
	in = make([]bool, len(lines))
	inside := false
	for i, line := range lines {
		in[i] = inside
		if !anyFence.MatchString(line) {
			continue
		}
		switch {
		case !plainFence.MatchString(line), strings.Contains(line, "````"):
			return nil, false
		case inside && closing.MatchString(line):
			inside = false
		case inside, i > 0 && strings.TrimSpace(lines[i-1]) != "":
			return nil, false
		default:
			in[i], inside = true, true
		}
	}
	return in, !inside
}

// disarm takes the power from everything that HTML could begin with and from
// links that lead anywhere but to a page, a mailbox or a telephone.
func disarm(text string) string {
	return disarmTags(disarmLinks(text))
}

// gap is invisible and no letter: what stands behind it is not a tag.
const gap = "\u2060"

// address is an address in angle brackets that may stand without them.
var address = regexp.MustCompile(`^<((?:https?://|mailto:)[A-Za-z0-9._~:/?#@!$&*+,;=%-]+)>`)

// disarmTags writes "<" as an entity where a tag could begin. In code on one line
// an entity would be seen, and behind a backslash it would not be one: there a
// gap follows instead.
func disarmTags(text string) string {
	var b strings.Builder
	code := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\n':
			code = false
		case c == '`':
			code = !code
		case c == '<' && begins(text[i+1:]):
			if link := address.FindStringSubmatch(text[i:]); link != nil && !code {
				b.WriteString(link[1])
				i += len(link[0]) - 1
				continue
			}
			if code || i > 0 && text[i-1] == '\\' {
				b.WriteString("<" + gap)
			} else {
				b.WriteString("&lt;")
			}
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// begins reports whether what follows "<" may make a tag, a comment or the like
// of it. Only what certainly does not is left.
func begins(rest string) bool {
	return rest != "" && !strings.ContainsRune(" \t\r\n0123456789=-<.,;)", rune(rest[0]))
}

// destination is where a link leads, or a definition of one: what follows "](" or
// "]:" up to what may end it. White space before it may hold line ends, and in a
// quotation what its lines begin with.
var destination = regexp.MustCompile(`\](\(|:)([\s\pZ\pC>]*)([^\s)]*)`)

// disarmLinks makes text of links that lead nowhere safe.
func disarmLinks(text string) string {
	return destination.ReplaceAllStringFunc(text, func(found string) string {
		parts := destination.FindStringSubmatch(found)
		if harmless(parts[3]) {
			return found
		}
		return `]\` + found[1:]
	})
}

// schemes are the beginnings of addresses that a link may have.
var schemes = []string{"http://", "https://", "mailto:", "tel:"}

// harmless reports whether an address, as it is written, can be nothing but one
// of the schemes or relative to the page. Readers decode entities and backslashes
// before they look, and browsers skip white space and control
// characters: what has any of them before its scheme has ended is not harmless.
func harmless(address string) bool {
	address = strings.TrimPrefix(address, "<")
	lower := strings.ToLower(address)
	for _, s := range schemes {
		if strings.HasPrefix(lower, s) {
			return true
		}
	}
	end := strings.IndexAny(address, "/?#")
	if end < 0 {
		end = len(address)
	}
	return !strings.ContainsFunc(html.UnescapeString(address[:end]), func(r rune) bool {
		return r == ':' || r == '&' || r == '\\' || r == '<' || unicode.IsControl(r) || unicode.Is(unicode.C, r) || r > unicode.MaxASCII && unicode.IsSpace(r)
	})
}
