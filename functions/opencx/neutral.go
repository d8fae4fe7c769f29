package opencx

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Clients render what an agent or operator wrote, and the last message of a
// session, as Markdown, and execute the HTML in it. Only the server can keep
// scripts out. neutral rewrites text so that it looks the same but cannot do
// anything, in whichever dialect of Markdown it is read.
//
// It does not rely on telling code from text, which each dialect does in its own
// way. The exception are fenced blocks that every dialect recognises: those stay
// unchanged, so that code can be copied.

// neutral neutralizes a complete text.
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

// neutralLine neutralizes the beginning of a text, which may stop anywhere, so
// that no fence in it can be trusted.
func neutralLine(text string) string { return disarm(text) }

var (
	// anyFence matches a line that some reader may take for a fence: with nothing
	// before it but the marks of a quotation or a list item.
	anyFence = regexp.MustCompile("^[^`~\\pL]*(```|~~~)")
	// plainFence matches a line that every reader takes for an opening fence if it
	// begins a block; nothing may follow a closing one.
	plainFence = regexp.MustCompile("^```[A-Za-z0-9_+#.-]*[ \t]*\r?\n?$")
	closing    = regexp.MustCompile("^```[ \t]*\r?\n?$")
)

// fenced says which lines are in fenced blocks, fences included. sure is false
// if some line may be a fence for some readers and not for others, or if the
// last block is never closed.
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

// ended returns what else can be said after a text: the text, out of a block of
// code that it may have broken off in, and a paragraph's end.
func ended(text string) string {
	if text == "" {
		return ""
	}
	if in, sure := fenced(strings.SplitAfter(text, "\n")); in != nil && !sure {
		text = strings.TrimSuffix(text, "\n") + "\n```"
	}
	return text + "\n\n"
}

// disarm disables everything that may begin HTML, and links to anything but a
// page, a mailbox or a telephone. It goes on until nothing changes, since what is
// disabled may be part of something else.
func disarm(text string) string {
	for {
		next := disarmTags(disarmLinks(text))
		if next == text {
			return text
		}
		text = next
	}
}

// gap is an invisible character that is not a letter: after it, no tag begins.
const gap = "\u2060"

// address matches an address in angle brackets that works without them too.
var address = regexp.MustCompile(`^<((?:https?://|mailto:)[A-Za-z0-9._~:/?#@!$&*+,;=%-]+)>`)

// disarmTags writes "<" as an entity where a tag could begin. In code within a
// line the entity would be visible, and after a backslash it would not be an
// entity; there a gap is inserted instead.
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

// begins reports whether a tag, a comment or similar may follow "<". It is false
// only where that is certain.
func begins(rest string) bool {
	return rest != "" && !strings.HasPrefix(rest, gap) && !strings.ContainsRune(" \t\r\n0123456789=-<.,;)&", rune(rest[0]))
}

// maxAddress is the longest address of a link whose scheme is looked for, in bytes.
// Our choice: what works is shorter. It keeps many links within each other cheap.
const maxAddress = 500

// disarmLinks turns links to unsafe addresses into text: what follows "](" or, in a
// link's definition, "]:". What stands within an address is looked at too, for a
// reader may take it for a link once the one around it is text.
func disarmLinks(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		b.WriteByte(text[i])
		if text[i] != ']' || i+1 == len(text) || text[i+1] != '(' && text[i+1] != ':' {
			continue
		}
		if !harmless(addressAt(text[i+2:])) {
			b.WriteByte('\\')
		}
	}
	return b.String()
}

// addressAt returns the address that a link's text begins with, up to its possible
// end. White space before it may contain line ends, and in a quotation the marks
// that begin its lines.
func addressAt(text string) string {
	text = strings.TrimLeftFunc(text, func(r rune) bool { return r == '>' || unicode.IsSpace(r) || unicode.In(r, unicode.Z, unicode.C) })
	text = text[:min(len(text), maxAddress)]
	if end := strings.IndexAny(text, " \t\n\f\r)"); end >= 0 {
		text = text[:end]
	}
	return text
}

// schemes are the beginnings that addresses of links may have.
var schemes = []string{"http://", "https://", "mailto:", "tel:"}

// harmless reports whether an address can only be relative to the page, or have
// one of the schemes. Readers decode entities and backslashes first, and
// browsers skip white space and control characters; so an address with any of
// them where its scheme could be is not harmless.
func harmless(address string) bool {
	address = strings.TrimPrefix(address, "<")
	lower := strings.ToLower(address)
	if slices.ContainsFunc(schemes, func(s string) bool { return strings.HasPrefix(lower, s) }) {
		return true
	}
	end := strings.IndexAny(address, "/?#")
	if end < 0 {
		if end = len(address); end >= maxAddress-1 { // cut, maybe
			return false
		}
	}
	return !strings.ContainsFunc(html.UnescapeString(address[:end]), func(r rune) bool {
		return r == ':' || r == '&' || r == '\\' || r == '<' || unicode.IsControl(r) || unicode.Is(unicode.C, r) || r > unicode.MaxASCII && unicode.IsSpace(r)
	})
}
