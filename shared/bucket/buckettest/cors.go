package buckettest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
)

// cors holds b to what a page of the origin needs: form POSTs and PUTs of which it
// can read the answer, whether or not it watches their progress, and downloads.
func cors(t *testing.T, b parley.Bucket, origin string) {
	key := newKey()
	store(t, b, key, "text/plain", []byte("hello"))
	link := must(b.Link(t.Context(), key, time.Minute))(t)
	grant := must(b.GrantUpload(t.Context(), newKey(), "text/plain", 1, maxBytes, time.Minute))(t)
	refused := formFor(grant, []byte("hello"))
	refused.fields["Content-Type"] = "text/html"
	direct := must(b.GrantPut(t.Context(), newKey(), "text/plain", time.Minute))(t)
	for name, c := range map[string]struct {
		request *http.Request
		status  int
	}{
		"preflight of an upload":  {preflight(t, grant.URL, http.MethodPost), http.StatusOK},
		"upload":                  {formFor(grant, []byte("hello")).request(t), http.StatusCreated},
		"refused upload":          {refused.request(t), http.StatusForbidden},
		"preflight of a PUT":      {preflight(t, direct.URL, http.MethodPut), http.StatusOK},
		"PUT":                     {put(t, direct.URL, "text/plain", []byte("hello")), http.StatusOK},
		"refused PUT":             {put(t, direct.URL, "text/html", []byte("hello")), http.StatusForbidden},
		"preflight of a download": {preflight(t, link, http.MethodGet), http.StatusOK},
		"download":                {must(http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil))(t), http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			c.request.Header.Set("Origin", origin)
			response, body := do(t, c.request)
			if response.StatusCode != c.status {
				t.Errorf("status %d %s, want %d", response.StatusCode, errorCode(body), c.status)
			}
			if got := response.Header.Values("Access-Control-Allow-Origin"); len(got) != 1 || got[0] != origin && got[0] != "*" {
				t.Errorf("Access-Control-Allow-Origin = %q, want %s", got, origin)
			}
			asked := c.request.Header.Get("Access-Control-Request-Method")
			if got := response.Header.Get("Access-Control-Allow-Methods"); !strings.Contains(got, asked) {
				t.Errorf("Access-Control-Allow-Methods = %q, want %s", got, asked)
			}
		})
	}
}

func preflight(t *testing.T, url, method string) *http.Request {
	t.Helper()
	r := must(http.NewRequestWithContext(t.Context(), http.MethodOptions, url, nil))(t)
	r.Header.Set("Access-Control-Request-Method", method)
	if method == http.MethodPut {
		r.Header.Set("Access-Control-Request-Headers", "content-type")
	}
	return r
}
