package buckettest

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
)

// copies holds b to invariant 11: what is served is what was checked.
func copies(t *testing.T, b parley.Bucket) {
	from, to := newKey(), newKey()
	grant := must(b.GrantUpload(t.Context(), from, "image/png", 1, maxBytes, time.Minute))(t)
	if status, code := formFor(grant, []byte("checked")).post(t); status != http.StatusCreated {
		t.Fatalf("POST = %d %s", status, code)
	}
	etag := must(b.Inspect(t.Context(), from))(t).ETag
	if err := b.Copy(t.Context(), from, etag, to, "image/png", "a.png"); err != nil {
		t.Fatal(err)
	}
	if status, code := formFor(grant, []byte("swapped")).post(t); status != http.StatusCreated {
		t.Fatalf("second POST under the grant = %d %s", status, code)
	}
	if _, body := fetch(t, b, to); string(body) != "checked" {
		t.Errorf("after the upload was replaced the copy is %q, want %q", body, "checked")
	}
	late := newKey()
	for _, key := range []string{to, late} {
		if err := b.Copy(t.Context(), from, etag, key, "image/png", "a.png"); !errors.Is(err, parley.ErrObjectChanged) {
			t.Errorf("Copy with a stale ETag = %v, want ErrObjectChanged", err)
		}
	}
	if _, body := fetch(t, b, to); string(body) != "checked" {
		t.Errorf("after a refused copy the copy is %q, want %q", body, "checked")
	}
	if _, err := b.Inspect(t.Context(), late); !errors.Is(err, parley.ErrNoObject) {
		t.Errorf("Inspect of what a refused copy would have made = %v, want ErrNoObject", err)
	}
	if err := b.Copy(t.Context(), newKey(), etag, late, "image/png", "a.png"); !errors.Is(err, parley.ErrNoObject) {
		t.Errorf("Copy of nothing = %v, want ErrNoObject", err)
	}
}

// linkCases are requests that a link does not allow: the method, and how the
// link was changed. key and from are the keys of two objects.
var linkCases = map[string]struct {
	method string
	change func(link *url.URL, key, from string)
	status int
}{
	"signature":      {http.MethodGet, query("X-Amz-Signature", tampered), http.StatusForbidden},
	"no signature":   {http.MethodGet, query("X-Amz-Signature", to("")), http.StatusBadRequest},
	"longer":         {http.MethodGet, query("X-Amz-Expires", to("3600")), http.StatusForbidden},
	"earlier":        {http.MethodGet, query("X-Amz-Date", oneSecondEarlier), http.StatusForbidden},
	"inline":         {http.MethodGet, query("response-content-disposition", to("inline")), http.StatusForbidden},
	"other type":     {http.MethodGet, query("response-content-type", to("text/plain")), http.StatusForbidden},
	"shared caches":  {http.MethodGet, query("response-cache-control", to("public")), http.StatusForbidden},
	"another object": {http.MethodGet, replaceKey, http.StatusForbidden},
	"delete":         {http.MethodDelete, unchanged, http.StatusForbidden},
	"put":            {http.MethodPut, unchanged, http.StatusForbidden},
}

// links holds b to what a link allows: reading one object, for a time, as the
// download that Copy made of it.
func links(t *testing.T, b parley.Bucket) {
	from, key := newKey(), newKey()
	store(t, b, from, "text/html", []byte("<script>"))
	etag := must(b.Inspect(t.Context(), from))(t).ETag
	if err := b.Copy(t.Context(), from, etag, key, "text/html", "a.html"); err != nil {
		t.Fatal(err)
	}
	t.Run("headers", func(t *testing.T) { linkHeaders(t, b, key) })
	for name, c := range linkCases {
		t.Run(name, func(t *testing.T) {
			link := must(url.Parse(must(b.Link(t.Context(), key, time.Minute))(t)))(t)
			c.change(link, key, from)
			if response, body := send(t, c.method, link.String()); response.StatusCode != c.status {
				t.Errorf("%s = %d %s, want %d", c.method, response.StatusCode, errorCode(body), c.status)
			}
			if o, err := b.Inspect(t.Context(), key); err != nil || string(o.Head) != "<script>" {
				t.Errorf("Inspect after a refusal = %q, %v", o.Head, err)
			}
		})
	}
	t.Run("of nothing", func(t *testing.T) {
		if response, _ := fetch(t, b, newKey()); response.StatusCode != http.StatusNotFound {
			t.Errorf("GET = %d, want 404", response.StatusCode)
		}
	})
	t.Run("expired", func(t *testing.T) { expiredLink(t, b, key) })
}

func linkHeaders(t *testing.T, b parley.Bucket, key string) {
	response, body := fetch(t, b, key)
	if response.StatusCode != http.StatusOK || string(body) != "<script>" {
		t.Errorf("GET = %d %q, want 200 %q", response.StatusCode, body, "<script>")
	}
	for name, want := range map[string]string{
		"Content-Type":        "text/html",
		"Content-Disposition": `attachment; filename="a.html"; filename*=UTF-8''a.html`,
		"Cache-Control":       "private, max-age=60",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

func expiredLink(t *testing.T, b parley.Bucket, key string) {
	granted := time.Now()
	link := must(b.Link(t.Context(), key, 2*time.Second))(t)
	eventually(t, "the link expires", func() bool {
		response, body := send(t, http.MethodGet, link)
		if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusForbidden {
			t.Fatalf("GET = %d %s, want 200, then 403", response.StatusCode, errorCode(body))
		}
		return response.StatusCode == http.StatusForbidden
	})
	// A signature's time is cut to the second.
	if life := time.Since(granted); life < time.Second || life > 4*time.Second {
		t.Errorf("a link for 2 s lived %v", life)
	}
}

func query(name string, change func(string) string) func(*url.URL, string, string) {
	return func(link *url.URL, _, _ string) {
		q := link.Query()
		q.Set(name, change(q.Get(name)))
		link.RawQuery = q.Encode()
	}
}

func to(value string) func(string) string { return func(string) string { return value } }

func oneSecondEarlier(date string) string {
	const layout = "20060102T150405Z"
	at, err := time.Parse(layout, date)
	if err != nil {
		panic(err)
	}
	return at.Add(-time.Second).Format(layout)
}

func replaceKey(link *url.URL, key, from string) {
	link.Path = strings.Replace(link.Path, key, from, 1)
}

func unchanged(*url.URL, string, string) {}

// unsigned checks that nothing can be done without a grant or a link.
func unsigned(t *testing.T, b parley.Bucket) {
	key := newKey()
	store(t, b, key, "text/plain", []byte("private"))
	object, _, _ := strings.Cut(must(b.Link(t.Context(), key, time.Minute))(t), "?")
	root := strings.TrimSuffix(object, key)
	for _, c := range []struct{ method, url string }{
		{http.MethodGet, object},
		{http.MethodHead, object},
		{http.MethodPut, object},
		{http.MethodDelete, object},
		{http.MethodPost, object + "?uploads"},
		{http.MethodGet, root},
		{http.MethodGet, root + "?list-type=2"},
		{http.MethodPost, root + "?delete"},
		{http.MethodPut, root},
		{http.MethodDelete, root},
	} {
		if response, _ := send(t, c.method, c.url); response.StatusCode != http.StatusForbidden {
			t.Errorf("%s %s = %d, want 403", c.method, c.url, response.StatusCode)
		}
	}
	if o, err := b.Inspect(t.Context(), key); err != nil || string(o.Head) != "private" {
		t.Errorf("Inspect after all refusals = %q, %v", o.Head, err)
	}
}
