package parley

import (
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// This file says how a file may be called. What a system does with a file that
// somebody opens depends on the end of its name alone, so the name is checked as
// well as the bytes: when the upload is granted, when it is completed, and when a
// message takes it.

// MaxUploadExtensions is how many endings a project may take besides. Our choice.
const MaxUploadExtensions = 50

// MaxExtensionBytes is the longest of them. Our choice: longer than any that is known.
const MaxExtensionBytes = 20

// executable are endings of what some system runs, installs or follows when it is
// opened, whatever is in it: programs, scripts, shortcuts, installers, images of
// disks, and what a program carries out for them. After the list of attachments
// that Outlook blocks, with what macOS and Linux run.
var executable = sync.OnceValue(func() map[string]bool {
	return endings(`
	app appimage apk application appref-ms appx appxbundle bash bat bgi chm cmd com command
	cpl crx csh deb desktop diagcab dll dmg dylib exe fish gadget hlp hta htc img inf ins
	ipa iso isp jar jnlp js jse kext ksh lnk mjs mpkg msc msh msi msix msixbundle msp mst
	msu ocx osx pif pkg pl ps1 ps1xml ps2 ps2xml psc1 psc2 psd1 psm1 py pyc pyo pyw pyz
	pyzw rb reg rpm run scf scpt scr sct search-ms settingcontent-ms sh shb shs so sys
	terminal tool url vb vbe vbs vhd vhdx vxd webloc website workflow ws wsb wsc wsf wsh
	xbap xll xpi zsh`)
})

func endings(list string) map[string]bool {
	all := map[string]bool{}
	for _, e := range strings.Fields(list) {
		all[e] = true
	}
	return all
}

// called are the endings that files of a media type have. An ending that is here
// goes with no other type; one that is not goes with every one.
var called = map[string]string{
	"image/png": "png", "image/jpeg": "jpg jpeg jpe jfif", "image/gif": "gif", "image/webp": "webp",
	"image/bmp": "bmp", "image/x-icon": "ico", "image/tiff": "tif tiff", "image/heic": "heic",
	"image/avif": "avif", "image/svg+xml": "svg svgz",
	"application/pdf": "pdf", "application/postscript": "ps eps",
	"application/zip": "zip", "application/x-gzip": "gz tgz", "application/x-rar-compressed": "rar",
	"text/plain": "txt text log csv md markdown json", "text/csv": "csv", "text/markdown": "md markdown",
	"application/json": "json", "text/xml": "xml", "text/html": "html htm xhtml xht shtml mht mhtml",
	"application/msword": "doc dot", "application/vnd.ms-excel": "xls", "application/vnd.ms-powerpoint": "ppt",
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   "docx",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         "xlsx",
	"application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
	// What holds macros, and may pass for one of those above by its bytes.
	"application/vnd.ms-word.document.macroenabled.12":           "docm",
	"application/vnd.ms-word.template.macroenabled.12":           "dotm",
	"application/vnd.ms-excel.addin":                             "xla",
	"application/vnd.ms-excel.addin.macroenabled.12":             "xlam",
	"application/vnd.ms-excel.sheet.macroenabled.12":             "xlsm",
	"application/vnd.ms-excel.template.macroenabled.12":          "xltm",
	"application/vnd.ms-excel.sheet.binary.macroenabled.12":      "xlsb",
	"application/vnd.ms-powerpoint.presentation.macroenabled.12": "pptm",

	"audio/mpeg": "mp3", "audio/wave": "wav", "audio/midi": "mid midi", "audio/aiff": "aiff aif",
	"application/ogg": "ogg oga", "audio/webm": "webm", "video/webm": "webm", "video/mp4": "mp4 m4v",
	"video/avi": "avi", "video/quicktime": "mov",
	"font/ttf": "ttf", "font/otf": "otf", "font/woff": "woff", "font/woff2": "woff2", "application/wasm": "wasm",
}

// typesOf are the media types that files with an ending have; none for an ending
// that goes with every type.
var typesOf = sync.OnceValue(func() map[string][]string {
	all := map[string][]string{}
	for mediaType, list := range called {
		for e := range endings(list) {
			all[e] = append(all[e], mediaType)
		}
	}
	return all
})

// checkName returns a name_refused error for a name that hides what it is, or
// whose end is that of an executable file or of another type's. The project's own
// list of endings lifts the latter two.
func (f File) checkName(u UploadSettings) error {
	refused := func(text string) error {
		return &Error{Kind: ErrInvalid, Code: "name_refused", Field: "name", Text: text}
	}
	switch {
	case strings.ContainsFunc(f.Name, hides):
		return refused("the file's name has invisible characters, or such that turn the direction of text")
	case f.Name != trimEnd(f.Name):
		return refused("the file's name ends with a dot or a space")
	}
	for _, e := range endingsOf(f.Name) {
		switch types := typesOf()[e]; {
		case slices.Contains(u.Extensions, e):
		case executable()[e]:
			return refused("files that end in ." + e + " are not taken, because opening one can run it")
		case len(types) > 0 && !slices.Contains(types, f.Type):
			return refused("the file's name ends in ." + e + ", and " + f.Type + " is another type")
		}
	}
	return nil
}

// hides reports whether a character is not seen, or changes how others are: it can
// make "exe.pdf" look like what it is not. The two joiners of letters stay, which
// Persian, Hindi and emoji are written with.
func hides(r rune) bool {
	return r != '\u200c' && r != '\u200d' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp))
}

// trimEnd cuts off what Windows does not take for part of a name.
func trimEnd(name string) string {
	return strings.TrimRightFunc(name, func(r rune) bool { return r == '.' || unicode.IsSpace(r) })
}

// endingsOf returns all that a system might take for the end of a name, small and
// without the dot: nothing where there is none. Of "a.exe:b.pdf" Windows makes a
// file called a.exe, and what looks like a dot may be made one on the way.
func endingsOf(name string) (all []string) {
	folded := strings.ToLower(strings.Map(asASCII, name))
	for _, part := range append(strings.Split(folded, ":"), strings.ToLower(name)) {
		part = trimEnd(part)
		if i := strings.LastIndexByte(part, '.'); i >= 0 {
			if e := strings.TrimSpace(part[i+1:]); !slices.Contains(all, e) {
				all = append(all, e)
			}
		}
	}
	return all
}

// dots look like a full stop, or are one in other scripts.
const dots = "․‧∙⋅·・･。｡﹒．۔܁܂ꓸ"

// asASCII folds what looks like a dot, and wide letters and digits; joiners go.
func asASCII(r rune) rune {
	switch {
	case strings.ContainsRune(dots, r):
		return '.'
	case 0xff01 <= r && r <= 0xff5e: // Halfwidth and Fullwidth Forms, in the order of ASCII
		return r - 0xff01 + '!'
	case r == '\u200c' || r == '\u200d':
		return -1
	}
	return r
}

// FileName makes a name that a file may have of one that a browser gave. Its
// ending stays, so it may still be refused.
func FileName(given string) string {
	given = given[strings.LastIndexAny(given, `/\`)+1:]
	given = strings.Map(func(r rune) rune {
		if hides(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(given, ""))
	if given = trimEnd(cut(given, MaxFileNameBytes)); given == "" {
		return "file"
	}
	return given
}

// checkExtensions returns an invalid_field error unless the list can be stored.
func (u UploadSettings) checkExtensions() error {
	if len(u.Extensions) > MaxUploadExtensions {
		return invalid("uploads", "extensions has at most %d entries", MaxUploadExtensions)
	}
	for _, e := range u.Extensions {
		if e == "" || len(e) > MaxExtensionBytes || e != strings.ToLower(e) || !utf8.ValidString(e) ||
			strings.ContainsFunc(e, func(r rune) bool { return hides(r) || unicode.IsSpace(r) || strings.ContainsRune("./\\:", r) }) {
			return invalid("uploads", `extensions are endings such as "log", in lower case and without the dot`)
		}
	}
	return nil
}
