// Package buckettest is a test kit: the contract of parley.Bucket as a test
// suite. It checks what every implementation must do, and what an implementation
// that verifies signatures must refuse.
package buckettest

import (
	"bytes"
	"crypto/rand"
	"encoding/xml"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"testing"
	"time"

	"parley/shared/parley"
)

// Run checks the complete contract. Origin is a web origin whose pages may use
// the bucket.
func Run(t *testing.T, b parley.Bucket, origin string) {
	t.Run("Plumbing", func(t *testing.T) { Plumbing(t, b) })
	t.Run("Grant", func(t *testing.T) { grants(t, b) })
	t.Run("GrantPut", func(t *testing.T) { putGrants(t, b) })
	t.Run("Copy", func(t *testing.T) { copies(t, b) })
	t.Run("Link", func(t *testing.T) { links(t, b) })
	t.Run("Unsigned", func(t *testing.T) { unsigned(t, b) })
	t.Run("CORS", func(t *testing.T) { cors(t, b, origin) })
}

// newKey returns a key that nothing is stored under.
func newKey() string { return "test/" + rand.Text() + "/a-b_c.d" }

// must returns the value of a step that is not what the test is about, and ends
// the test if it failed.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// form is what a browser sends for a grant.
type form struct {
	url    string
	fields map[string]string
	file   []byte
}

// formFor fills in a grant's form.
func formFor(g parley.UploadGrant, file []byte) form {
	return form{url: g.URL, fields: maps.Clone(g.Fields), file: file}
}

// request is the form as a browser sends it.
func (f form) request(t *testing.T) *http.Request {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range f.fields {
		if err := w.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	must(must(w.CreateFormFile("file", "any.bin"))(t).Write(f.file))(t)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, f.url, &body))(t)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return r
}

// post sends the form and returns the answer's status and error code.
func (f form) post(t *testing.T) (int, string) {
	t.Helper()
	response, answer := do(t, f.request(t))
	return response.StatusCode, errorCode(answer)
}

// do sends a request and returns the answer with its body.
func do(t *testing.T, r *http.Request) (*http.Response, []byte) {
	t.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response, must(io.ReadAll(response.Body))(t)
}

// send makes a request without headers.
func send(t *testing.T, method, url string) (*http.Response, []byte) {
	t.Helper()
	return do(t, must(http.NewRequestWithContext(t.Context(), method, url, nil))(t))
}

// errorCode is the code in S3's error document, or "".
func errorCode(body []byte) string {
	var document struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
	}
	if xml.Unmarshal(body, &document) != nil {
		return ""
	}
	return document.Code
}

// store puts bytes under key as a browser does.
func store(t *testing.T, b parley.Bucket, key, contentType string, file []byte) {
	t.Helper()
	size := int64(len(file))
	grant := must(b.GrantUpload(t.Context(), key, contentType, size, size, time.Minute))(t)
	if status, code := formFor(grant, file).post(t); status/100 != 2 {
		t.Fatalf("upload of %d bytes = %d %s", size, status, code)
	}
}

// fetch downloads what a new link to key leads to.
func fetch(t *testing.T, b parley.Bucket, key string) (*http.Response, []byte) {
	t.Helper()
	return send(t, http.MethodGet, must(b.Link(t.Context(), key, time.Minute))(t))
}

// eventually waits until ok returns true. It calls ok every 100 ms for at most
// 20 s.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}
