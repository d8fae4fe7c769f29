package run

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Images in replies
//
// A client that renders Markdown loads images by itself, so an image whose address
// somebody has talked the model into would carry what the model knows to a foreign
// host, without anybody's click. Therefore no image of a foreign host gets into a
// reply: what is stored is what every client may show.
//
//   - An image becomes a link to it, by losing its "!".
//   - Where the "!" is followed by more than a plain description, readers differ in
//     where the image ends. Then every foreign address of that paragraph becomes text.
//   - Images may name their address in another place, by a definition. A definition
//     with a foreign address becomes text, and what refers to it with it.
//
// An address that is relative to the page is not foreign, nor is one of the project's
// own hosts.

// Limits of what is held back while an image is undecided, in bytes. Our choices:
// longer descriptions and hosts (RFC 1035, section 2.3.4: 255) count as foreign.
const (
	maxImageText    = 300
	maxImageAddress = 300
)

// imageFilter passes on a streamed text without images of foreign hosts. It holds
// back only what may still become one, and its result does not depend on how the text
// is cut into deltas. It is for one goroutine.
type imageFilter struct {
	owns func(host string) bool
	emit func(string) error

	held string
	last byte // that was passed on; 0 at the beginning
	// unsure says that in this paragraph an image has begun whose end readers may see
	// in different places.
	unsure bool
	text   bool // the line so far is more than white space
}

func newImageFilter(owns func(host string) bool, emit func(string) error) *imageFilter {
	return &imageFilter{owns: owns, emit: emit}
}

// write takes the next delta. It returns the error of emit.
func (f *imageFilter) write(delta string) error {
	f.held += delta
	return f.process(false)
}

// close ends the text.
func (f *imageFilter) close() error { return f.process(true) }

// verdict is what is known of an address.
type verdict int

const (
	undecided verdict = iota // more of the text must be known
	own
	foreign
)

func (f *imageFilter) process(final bool) error {
	var out strings.Builder
	pass := func(c byte) {
		out.WriteByte(c)
		f.last = c
		switch c {
		case '\n':
			f.unsure = f.unsure && f.text
			f.text = false
		case ' ', '\t', '\r':
		default:
			f.text = true
		}
	}
	i := 0
	for ; i < len(f.held); i++ {
		rest := f.held[i:]
		if !final && (rest == "!" || rest == "]") {
			break
		}
		switch {
		case strings.HasPrefix(rest, "!["):
			v, sure := f.image(rest[2:], final)
			if v == undecided {
				goto enough
			}
			f.unsure = f.unsure || !sure
			switch {
			case v == own:
				pass('!')
			case f.last == '!' || f.last == '\\': // which would take the place of the "!", or undo the link
				pass(' ')
			}
		case strings.HasPrefix(rest, "]:"), strings.HasPrefix(rest, "](") && f.unsure:
			v := f.judge(rest[2:], final)
			if v == undecided {
				goto enough
			}
			pass(']')
			if v == foreign {
				pass('\\')
			}
		default:
			pass(rest[0])
		}
	}
enough:
	f.held = f.held[i:]
	if out.Len() == 0 {
		return nil
	}
	return f.emit(out.String())
}

// image judges what follows "![". With sure it is certain where the description
// ends. What is no image, or has its address elsewhere, is own.
func (f *imageFilter) image(text string, final bool) (v verdict, sure bool) {
	end := strings.IndexAny(text[:min(len(text), maxImageText)], "[]\\`<\n")
	switch {
	case end < 0 && len(text) < maxImageText && !final:
		return undecided, false
	case end < 0 || text[end] != ']':
		return own, false
	case end+1 == len(text) && !final:
		return undecided, false
	case end+1 == len(text) || text[end+1] != '(':
		return own, true
	}
	return f.judge(text[end+2:], final), true
}

// judge judges the address that text begins with. What comes before an address in a
// link may be white space, line ends, and the marks of a quotation.
func (f *imageFilter) judge(text string, final bool) verdict {
	cut := len(text) > maxImageAddress
	if cut {
		text = text[:maxImageAddress]
	}
	text = strings.TrimLeftFunc(text, func(r rune) bool {
		return r != utf8.RuneError && (r == '>' || r == '<' || unicode.IsSpace(r) || unicode.In(r, unicode.Z, unicode.C))
	})
	if !final && !cut && !utf8.FullRuneInString(text) {
		return undecided
	}
	if v := f.address(text, final && !cut); v != undecided || !cut {
		return v
	}
	return foreign
}

// addressEnds end the part of an address that says which host it is of. Tabs and
// carriage returns do not: browsers drop them, and go on.
const addressEnds = " \n)>?#"

// schemes are those of images on other hosts.
var schemes = []string{"http://", "https://"}

func (f *imageFilter) address(text string, final bool) verdict {
	lower := strings.ToLower(text[:min(len(text), len("https://"))])
	for _, s := range schemes {
		if strings.HasPrefix(lower, s) {
			return f.host(text[len(s):], final)
		}
		if strings.HasPrefix(s, lower) && !final {
			return undecided
		}
	}
	path, absolute := strings.CutPrefix(text, "/")
	for i := range len(path) {
		switch c := path[i]; {
		case strings.IndexByte(addressEnds, c) >= 0, c == '/' && !absolute:
			return own
		case c < ' ' || c > '~' || c == '/' || strings.IndexByte(`:&\<`, c) >= 0: // may be read as something else
			return foreign
		case absolute:
			return own
		}
	}
	if final {
		return own
	}
	return undecided
}

// host judges what follows a scheme.
func (f *imageFilter) host(text string, final bool) verdict {
	end := 0
	for end < len(text) && inHost(text[end]) {
		end++
	}
	after := end
	if after < len(text) && text[after] == ':' {
		for after++; after < len(text) && '0' <= text[after] && text[after] <= '9'; {
			after++
		}
	}
	switch {
	case after == len(text) && !final:
		return undecided
	case after < len(text) && strings.IndexByte(addressEnds+"/", text[after]) < 0, !f.owns(text[:end]):
		return foreign
	}
	return own
}

// inHost reports whether a byte may stand in the name of a host.
func inHost(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-'
}
