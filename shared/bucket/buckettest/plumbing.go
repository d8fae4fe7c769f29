package buckettest

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
)

// Plumbing checks the part of the contract that does not depend on verified
// signatures and conditions.
func Plumbing(t *testing.T, b parley.Bucket) {
	t.Run("Inspect", func(t *testing.T) { inspect(t, b) })
	t.Run("FileNames", func(t *testing.T) { fileNames(t, b) })
	t.Run("Put", func(t *testing.T) { puts(t, b) })
	t.Run("Delete", func(t *testing.T) { deletes(t, b) })
	t.Run("TTL", func(t *testing.T) { ttl(t, b) })
}

func inspect(t *testing.T, b parley.Bucket) {
	if _, err := b.Inspect(t.Context(), newKey()); !errors.Is(err, parley.ErrNoObject) {
		t.Errorf("Inspect of nothing = %v, want ErrNoObject", err)
	}
	seen := map[string]int{}
	for _, size := range []int{0, 1, parley.HeadBytes - 1, parley.HeadBytes, parley.HeadBytes + 1, 3 << 20} {
		key, file := newKey(), bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
		store(t, b, key, "text/plain", file)
		o := must(b.Inspect(t.Context(), key))(t)
		if o.Size != int64(size) || !bytes.Equal(o.Head, file[:min(size, parley.HeadBytes)]) {
			t.Errorf("Inspect of %d bytes = size %d, head %q", size, o.Size, o.Head)
		}
		if other, taken := seen[o.ETag]; taken || o.ETag == "" {
			t.Errorf("ETag of %d bytes = %q, as of %d bytes", size, o.ETag, other)
		}
		seen[o.ETag] = size
	}
}

func fileNames(t *testing.T, b parley.Bucket) {
	from, file := newKey(), []byte("%PDF-1.7")
	store(t, b, from, "application/pdf", file)
	etag := must(b.Inspect(t.Context(), from))(t).ETag
	for name, want := range map[string]string{
		"report.pdf":                      "report.pdf",
		`a "b" 'c'.pdf`:                   `a "b" 'c'.pdf`,
		`"; filename="evil.exe`:           `"; filename="evil.exe`,
		"two  spaces.pdf":                 "two  spaces.pdf",
		"100%25; a=b, c+d&e.pdf":          "100%25; a=b, c+d&e.pdf",
		"Übergröße 東京 👩‍💻.pdf":            "Übergröße 東京 👩‍💻.pdf",
		"a\r\nSet-Cookie: b=c.pdf":        "aSet-Cookie: b=c.pdf",
		"a\x00b\tc\x7f\u0085.pdf":         "abc.pdf",
		"../../etc/passwd":                "_.._etc_passwd",
		`C:\temp\a.pdf`:                   `C:_temp_a.pdf`,
		"invoice\u202efdp.exe":            "invoicefdp.exe",
		"a\u200b\ufeff\u00ad.pdf":         "a.pdf",
		"setup.exe . \u00a0\u3000":        "setup.exe",
		"not utf-8 \xff\xfe.pdf":          "not utf-8 .pdf",
		"":                                "file",
		" .. ":                            "file",
		"\r\n":                            "file",
		strings.Repeat("ä", 300) + ".pdf": strings.Repeat("ä", 125) + ".pdf",
	} {
		t.Run(fmt.Sprintf("%.20q", name), func(t *testing.T) {
			to := newKey()
			// Twice: copying again is harmless.
			for range 2 {
				if err := b.Copy(t.Context(), from, etag, to, "application/pdf", name); err != nil {
					t.Fatal(err)
				}
			}
			response, body := fetch(t, b, to)
			if response.StatusCode != http.StatusOK || !bytes.Equal(body, file) {
				t.Fatalf("download = %d %q, want 200 %q", response.StatusCode, body, file)
			}
			if got := response.Header.Get("Content-Type"); got != "application/pdf" {
				t.Errorf("Content-Type = %q, want application/pdf", got)
			}
			kind, params, err := mime.ParseMediaType(response.Header.Get("Content-Disposition"))
			if err != nil || kind != "attachment" || params["filename"] != want {
				t.Errorf("Content-Disposition = %s, %q, %v, want attachment, %q", kind, params["filename"], err, want)
			}
		})
	}
}

// puts checks that an object that a function puts is there at once and complete,
// replaces the one before, and can be copied like an upload of a browser.
func puts(t *testing.T, b parley.Bucket) {
	key, to := newKey(), newKey()
	big := bytes.Repeat([]byte("%PDF-1.7 \x00\xff"), 400<<10)
	for _, data := range [][]byte{[]byte("first"), big} {
		if err := b.Put(t.Context(), key, "application/pdf", data); err != nil {
			t.Fatal(err)
		}
		o, err := b.Inspect(t.Context(), key)
		if err != nil || o.Size != int64(len(data)) || !bytes.HasPrefix(data, o.Head) || len(o.Head) != min(len(data), parley.HeadBytes) {
			t.Fatalf("Inspect after Put of %d bytes = %d bytes, %d of them read, %v", len(data), o.Size, len(o.Head), err)
		}
	}
	etag := must(b.Inspect(t.Context(), key))(t).ETag
	if err := b.Copy(t.Context(), key, etag, to, "application/pdf", "big.pdf"); err != nil {
		t.Fatal(err)
	}
	if response, body := fetch(t, b, to); response.StatusCode != http.StatusOK || !bytes.Equal(body, big) {
		t.Errorf("download = %d, %d bytes, want %d", response.StatusCode, len(body), len(big))
	}
}

func deletes(t *testing.T, b parley.Bucket) {
	if err := b.Delete(t.Context()); err != nil {
		t.Errorf("Delete of no keys = %v", err)
	}
	// More keys than one call to S3 may name; the first and the last have objects.
	keys := make([]string, 1001)
	for i := range keys {
		keys[i] = newKey()
	}
	first, last, kept := keys[0], keys[len(keys)-1], newKey()
	for _, key := range []string{first, last, kept} {
		store(t, b, key, "text/plain", []byte(key))
	}
	if err := b.Delete(t.Context(), keys...); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{first, last} {
		if _, err := b.Inspect(t.Context(), key); !errors.Is(err, parley.ErrNoObject) {
			t.Errorf("Inspect after Delete = %v, want ErrNoObject", err)
		}
	}
	if _, err := b.Inspect(t.Context(), kept); err != nil {
		t.Errorf("Inspect of what was not deleted = %v", err)
	}
}

func ttl(t *testing.T, b parley.Bucket) {
	for _, ttl := range []time.Duration{-time.Minute, 0, time.Second - 1, 7*24*time.Hour + 1} {
		if g, err := b.GrantUpload(t.Context(), newKey(), "text/plain", 1, 1, ttl); err == nil {
			t.Errorf("GrantUpload for %v expires %v, want an error", ttl, g.Expires)
		}
		if link, err := b.Link(t.Context(), newKey(), ttl); err == nil {
			t.Errorf("Link for %v = %s, want an error", ttl, link)
		}
	}
}
