package bucket

import (
	"net/url"
	"path"
	"strings"
	"unicode"
)

// maxName is the longest file name that is stored, in bytes of UTF-8: the limit
// of common file systems. The header contains it twice, once percent-encoded,
// and stays well below S3's 2 KB for the metadata of a request.
const maxName = 255

// maxExtension is the longest extension that survives the shortening of a
// name, in bytes with its dot; our choice.
const maxExtension = 20

// attachment returns the Content-Disposition of a download under this name, as
// in RFC 6266, with an ASCII form for clients that do not know filename*.
func attachment(filename string) string {
	name := clean(filename)
	// What QueryEscape leaves alone is a subset of RFC 8187's attr-char, but for the plus.
	encoded := strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
	return `attachment; filename="` + ascii(name) + `"; filename*=UTF-8''` + encoded
}

// clean turns a name from a browser into a safe file name: no path, nothing that
// is not seen or that reverses the direction of text (which can disguise an
// extension), no dot or space at its ends, at most maxName bytes, not empty. The two
// joiners stay, which Persian, Hindi and emoji are written with.
func clean(filename string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r == '/' || r == '\\':
			return '_'
		case r == '\u200c' || r == '\u200d':
			return r
		case unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp):
			return -1
		}
		return r
	}, strings.ToValidUTF8(filename, ""))
	if name = trim(shorten(trim(name))); name == "" {
		return "file"
	}
	return name
}

// trim cuts off what Windows does not take for part of a name, and what hides one.
func trim(name string) string {
	return strings.TrimFunc(name, func(r rune) bool { return r == '.' || unicode.IsSpace(r) })
}

// shorten cuts a name that is too long before its extension, at a code point.
func shorten(name string) string {
	if len(name) <= maxName {
		return name
	}
	extension := path.Ext(name)
	if len(extension) > maxExtension {
		extension = ""
	}
	return strings.ToValidUTF8(name[:maxName-len(extension)], "") + extension
}

// ascii returns a form of the name that may stand between quotes in a header and
// that every browser reads alike. Runs of spaces become one, because signing a
// request does the same.
func ascii(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\%`, r) {
			return '_'
		}
		return r
	}, name)
	return strings.Join(strings.Fields(plain), " ")
}
