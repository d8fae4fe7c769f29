package buckettest

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
)

// put is how a browser uses a grant of a PUT.
func put(t *testing.T, address, contentType string, file []byte) *http.Request {
	t.Helper()
	r := must(http.NewRequestWithContext(t.Context(), http.MethodPut, address, bytes.NewReader(file)))(t)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

// putCases are uses of a grant of text/plain that is not for them; the grant is
// changed as links are.
var putCases = map[string]struct {
	contentType string
	change      func(grant *url.URL, key, from string)
}{
	"other type":         {"text/html", unchanged},
	"no type":            {"", unchanged},
	"other key":          {"text/plain", func(u *url.URL, _, _ string) { u.Path += "2" }},
	"key below":          {"text/plain", func(u *url.URL, _, _ string) { u.Path += "/more" }},
	"tampered signature": {"text/plain", query("X-Amz-Signature", tampered)},
	"longer":             {"text/plain", query("X-Amz-Expires", to("3600"))},
	"earlier":            {"text/plain", query("X-Amz-Date", oneSecondEarlier)},
	"no signature":       {"text/plain", query("X-Amz-Signature", to(""))},
	"nothing signed":     {"text/plain", func(u *url.URL, _, _ string) { u.RawQuery = "x-id=PutObject" }},
}

// putGrants holds b to what a grant of a PUT allows: one key, one type, for a time.
func putGrants(t *testing.T, b parley.Bucket) {
	t.Run("as granted", func(t *testing.T) {
		key := newKey()
		grant := must(b.GrantPut(t.Context(), key, "text/plain", time.Minute))(t)
		if len(grant.Fields) > 0 {
			t.Errorf("fields = %v, for which a PUT has no place", grant.Fields)
		}
		for _, file := range []string{"hello", strings.Repeat("more ", 100)} {
			if response, answer := do(t, put(t, grant.URL, "text/plain", []byte(file))); response.StatusCode != http.StatusOK {
				t.Fatalf("PUT = %d %s", response.StatusCode, answer)
			}
			o, err := b.Inspect(t.Context(), key)
			if err != nil || o.Size != int64(len(file)) || !strings.HasPrefix(file, string(o.Head)) || len(o.Head) == 0 {
				t.Errorf("Inspect = %d bytes, %.20q, %v; want %d", o.Size, o.Head, err, len(file))
			}
		}
	})
	for name, c := range putCases {
		t.Run(name, func(t *testing.T) {
			key := newKey()
			u := must(url.Parse(must(b.GrantPut(t.Context(), key, "text/plain", time.Minute))(t).URL))(t)
			c.change(u, key, "")
			response, answer := do(t, put(t, u.String(), c.contentType, []byte("hello")))
			if response.StatusCode/100 != 4 {
				t.Errorf("PUT = %d %s, want a refusal", response.StatusCode, answer)
			}
			for _, key := range []string{key, key + "2", key + "/more"} {
				if _, err := b.Inspect(t.Context(), key); !errors.Is(err, parley.ErrNoObject) {
					t.Errorf("Inspect of %s after a refusal = %v, want ErrNoObject", key, err)
				}
			}
		})
	}
	t.Run("expired", func(t *testing.T) {
		grant := must(b.GrantPut(t.Context(), newKey(), "text/plain", time.Second))(t)
		eventually(t, "the grant expires", func() bool {
			response, answer := do(t, put(t, grant.URL, "text/plain", []byte("too late")))
			if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusForbidden {
				t.Fatalf("PUT = %d %s, want 200, then 403", response.StatusCode, answer)
			}
			return response.StatusCode == http.StatusForbidden
		})
	})
	for _, ttl := range []time.Duration{0, time.Second - 1, 7*24*time.Hour + time.Second} {
		if _, err := b.GrantPut(t.Context(), newKey(), "text/plain", ttl); err == nil {
			t.Errorf("a grant for %v is given", ttl)
		}
	}
}
