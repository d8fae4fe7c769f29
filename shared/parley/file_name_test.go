package parley_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// TestFileNames: the end of a name says what a system does with the file, so it
// must go with the type, and be nothing that runs.
func TestFileNames(t *testing.T) {
	const (
		refused = "name_refused"
		odd     = "invalid_field"
		xlsx    = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	)
	tests := []struct{ name, mediaType, code string }{
		{"invoice.pdf", "application/pdf", ""},
		{"INVOICE.PDF", "application/pdf", ""},
		{"Résumé 1.pdf", "application/pdf", ""},
		{"www.example.com.pdf", "application/pdf", ""},
		{"chrome.exe.png", "image/png", ""}, // what runs is the end
		{"photo.jpg", "image/jpeg", ""},
		{"photo.JPEG", "image/jpeg", ""},
		{"notes", "text/plain", ""},
		{"notes.txt", "text/plain", ""},
		{"server.log.1", "text/plain", ""},
		{"settings.ini", "text/plain", ""},
		{"README.md", "text/plain", ""},
		{"README.md", "text/markdown", ""},
		{"scan.bin", "application/pdf", ""},
		{"報告。第二版.pdf", "application/pdf", ""},
		{"می\u200cخواهم.pdf", "application/pdf", ""},
		{"👩‍💻.png", "image/png", ""},
		{".profile", "text/plain", ""},
		{"list.xlsx", xlsx, ""},

		{"photo.png", "text/plain", refused},
		{"photo.png", "image/jpeg", refused},
		{"list.xlsm", xlsx, refused},
		{"list.xlsx", "application/zip", refused},
		{"page.html", "text/plain", refused},
		{"page.HTM", "text/plain", refused},
		{"picture.svg", "text/plain", refused},
		{"archive.pdf", "application/zip", refused},
		{"notes.txt", "application/pdf", refused},

		{"invoice.pdf.exe", "application/pdf", refused},
		{"invoice.pdf                          .exe", "application/pdf", refused},
		{"setup.EXE", "application/pdf", refused},
		{"setup.exe", "text/plain", refused},
		{"program.jar", "application/zip", refused},
		{"setup.msi", "application/vnd.ms-excel", refused},
		{"setup.exe.", "text/plain", refused},
		{"setup.exe ", "text/plain", refused},
		{"setup.exe . .", "text/plain", refused},
		{"setup.exe\u00a0", "text/plain", refused},
		{"setup.exe\u3000", "text/plain", refused},
		{"notes.txt.", "text/plain", refused},
		{"setup․exe", "text/plain", refused},
		{"setup．ｅｘｅ", "text/plain", refused},
		{"setup。bat", "text/plain", refused},
		{"setup.e\u200dxe", "text/plain", refused},
		{"setup.ln\u212a", "text/plain", refused}, // the Kelvin sign
		{"setup.exe:notes.txt", "text/plain", refused},
		{"setup.exe .:notes.txt", "text/plain", refused},
		{"setup.exe::$DATA", "text/plain", refused},
		{"invoice\u202efdp.exe", "application/pdf", refused},
		{"invoice\u202eexe.pdf", "application/pdf", refused},
		{"a\u2066b\u2069.pdf", "application/pdf", refused},
		{"a\u200fb.pdf", "application/pdf", refused},
		{"a\u200bb.pdf", "application/pdf", refused},
		{"a\ufeff.pdf", "application/pdf", refused},
		{"a\u2028b.pdf", "application/pdf", refused},
		{"a\u0085b.pdf", "application/pdf", refused},
		{"a\nb.pdf", "application/pdf", odd},
	}
	for _, ending := range strings.Fields(`exe msi bat cmd com scr pif hta js jse vbs vbe wsf wsh ps1 psm1 lnk url reg
		jar app command sh scf cpl dll msc`) {
		tests = append(tests, struct{ name, mediaType, code string }{"x." + ending, "text/plain", refused})
	}
	onBolt(t, func(s scene) {
		p := generous()
		p.Budgets.UploadsPerHour = 1000
		parleytest.Put(s, s.store, p)
		for _, test := range tests {
			before := s.table.Dump(s)
			_, err := s.store.GrantUpload(context.Background(), s.visitor, test.name, test.mediaType, 1)
			s.want(fmt.Sprintf("grant of %q as %s", test.name, test.mediaType), err, test.code)
			if changed := parleytest.Differences(before, s.table.Dump(s)); test.code != "" && len(changed) > 0 {
				s.Errorf("the grant of %q changed %q", test.name, changed)
			}
		}
	})
}

// TestFileNamesThroughTheFunction: a file that comes whole is called as it may be,
// or refused like every other.
func TestFileNamesThroughTheFunction(t *testing.T) {
	onBolt(t, func(s scene) {
		for _, test := range []struct{ given, called, data, name, mediaType, code string }{
			{`C:\temp\a.pdf`, "application/pdf", pdf, "a.pdf", "application/pdf", ""},
			{"a\u202eb.pdf.", "application/pdf", pdf, "ab.pdf", "application/pdf", ""},
			{"a.csv", "image/png", "a,b\n", "a.csv", "text/csv", ""},
			{"...", "text/plain", text, "file", "text/plain", ""},
			{"invoice.pdf.exe", "application/pdf", pdf, "", "", "name_refused"},
			{"invoice\u202efdp.exe", "", pdf, "", "", "name_refused"},
			{"a.bat ", "text/plain", text, "", "", "name_refused"},
			{"a.html", "text/plain", text, "", "", "name_refused"},
			{"a.txt", "image/png", png, "", "", "name_refused"},
		} {
			f, err := s.store.PutUpload(context.Background(), s.visitor, "", parley.FileName(test.given), test.called, []byte(test.data))
			s.want(test.given, err, test.code)
			if f.Name != test.name || f.Type != test.mediaType {
				s.Errorf("%q = %+v, want %q of type %s", test.given, f, test.name, test.mediaType)
			}
		}
	})
}

// TestFileNamesThatAProjectTakes: its list lets endings in, for as long as they
// stand there, and nothing that is hidden.
func TestFileNamesThatAProjectTakes(t *testing.T) {
	onBolt(t, func(s scene) {
		strict, lenient := generous(), generous()
		lenient.Uploads.Extensions = []string{"sh", "jar", "svg"}
		parleytest.Put(s, s.store, lenient)
		for name, code := range map[string]string{"deploy.sh": "", "picture.svg": "", "deploy․sh": "", "run.bat": "name_refused",
			"deploy.sh.": "name_refused", "a\u202ehs.sh": "name_refused"} {
			_, err := s.store.GrantUpload(context.Background(), s.visitor, name, "text/plain", 1)
			s.want(name, err, code)
		}
		_, err := s.store.GrantUpload(context.Background(), s.visitor, "a.jar", "application/zip", 1)
		s.want("a.jar", err, "")

		granted := s.grant("deploy.sh", "text/plain", len(text))
		s.put(granted, text)
		completed := s.upload("other.sh")
		parleytest.Put(s, s.store, strict)
		s.want("completed too late", s.complete(granted.File.ID), "name_refused")
		s.unchanged("attaching", func() {
			_, err := s.attach("m", s.visitor, completed)
			s.want("attached too late", err, "name_refused")
		})
		parleytest.Put(s, s.store, lenient)
		s.want("completed", s.complete(granted.File.ID), "")
		_, err = s.attach("m", s.visitor, granted.File.ID, completed)
		s.want("attached", err, "")

		for _, bad := range [][]string{{""}, {".exe"}, {"EXE"}, {"a b"}, {"a/b"}, {"\xff"}, {strings.Repeat("x", parley.MaxExtensionBytes+1)},
			make([]string, parley.MaxUploadExtensions+1)} {
			p := generous()
			p.Uploads.Extensions = bad
			s.want(fmt.Sprintf("%.9q", bad), s.store.PutProject(context.Background(), p), "invalid_field")
		}
	})
}
