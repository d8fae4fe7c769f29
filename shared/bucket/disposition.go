package bucket

import (
	"net/url"
	"path"
	"strings"
	"unicode"
)

// maxName is the longest file name that is kept, in bytes of UTF-8: what common
// file systems take. Given twice, once percent-encoded, it stays well under the
// 2 KB that S3 allows for the metadata of a request.
const maxName = 255

// maxExtension is the longest extension that survives the shortening of a
// name, in bytes with its dot; our choice.
const maxExtension = 20

// attachment returns the Content-Disposition of a download under this name: the
// name as RFC 6266 wants it, with an ASCII rendering for readers that do not
// know filename*.
func attachment(filename string) string {
	name := clean(filename)
	// What QueryEscape leaves alone is a subset of RFC 8187's attr-char, but for the plus.
	encoded := strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
	return `attachment; filename="` + ascii(name) + `"; filename*=UTF-8''` + encoded
}

// clean turns what a browser said into what a file may be called: no path, no
// control characters, nothing that changes the direction of the text to make
// an extension look like another one, at most maxName bytes, not empty.
func clean(filename string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r == '/' || r == '\\':
			return '_'
		case unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp):
			return -1
		}
		return r
	}, strings.ToValidUTF8(filename, ""))
	if name = strings.Trim(shorten(strings.Trim(name, " .")), " ."); name == "" {
		return "file"
	}
	return name
}

// shorten cuts the stem of a name that is too long, at a code point.
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

// ascii is what can stand between quotes in a header and means the same to
// every browser. Runs of spaces would not survive the signing of a request.
func ascii(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\%`, r) {
			return '_'
		}
		return r
	}, name)
	return strings.Join(strings.Fields(plain), " ")
}
