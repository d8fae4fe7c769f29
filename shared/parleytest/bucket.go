package parleytest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"parley/local/files"
	"parley/shared/bucket"
	"parley/shared/parley"
)

// Bucket is the bucket of a laptop, reached without a network, so that it can
// be used in a bubble of virtual time: signatures, policies, lives of grants and
// conditions of copies are checked as S3 does.
type Bucket struct {
	parley.Bucket
	// BeforeCopy, if set, is called before every copy.
	BeforeCopy func()

	web  http.Client
	mu   sync.Mutex
	keys []string // of every object that may ever have been there
}

// NewBucket returns an empty bucket that lives as long as the test.
func NewBucket(t testing.TB) *Bucket {
	t.Helper()
	server, err := files.Open(files.Config{Folder: t.TempDir(), Origin: "http://bucket.test"})
	if err != nil {
		t.Fatalf("open bucket: %v", err)
	}
	t.Cleanup(func() { server.Close() })
	b := &Bucket{web: http.Client{Transport: inProcess{server}}}
	options := server.Client().Options()
	options.HTTPClient = &b.web
	b.Bucket = bucket.New(bucket.Config{Client: s3.New(options), Name: files.Name})
	return b
}

// inProcess takes requests to a handler without a network.
type inProcess struct{ http.Handler }

// RoundTrip implements http.RoundTripper.
func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	if in.Host == "" {
		in.Host = in.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, in)
	return w.Result(), nil
}

// Put implements parley.Bucket.
func (b *Bucket) Put(ctx context.Context, key, contentType string, data []byte) error {
	b.mu.Lock()
	b.keys = append(b.keys, key)
	b.mu.Unlock()
	return b.Bucket.Put(ctx, key, contentType, data)
}

// Copy implements parley.Bucket.
func (b *Bucket) Copy(ctx context.Context, from, etag, to, contentType, filename string) error {
	if b.BeforeCopy != nil {
		b.BeforeCopy()
	}
	b.mu.Lock()
	b.keys = append(b.keys, to)
	b.mu.Unlock()
	return b.Bucket.Copy(ctx, from, etag, to, contentType, filename)
}

// Upload sends a file as a browser does and returns the answer's status.
func (b *Bucket) Upload(t testing.TB, g parley.UploadGrant, file []byte) int {
	t.Helper()
	b.mu.Lock()
	b.keys = append(b.keys, g.Fields["key"])
	b.mu.Unlock()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range g.Fields {
		form.WriteField(name, value)
	}
	part, err := form.CreateFormFile("file", "any")
	if err != nil {
		t.Fatal(err)
	}
	part.Write(file)
	form.Close()
	response, err := b.web.Post(g.URL, form.FormDataContentType(), &body)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// Download gets what a link leads to.
func (b *Bucket) Download(t testing.TB, link string) (status int, header http.Header, file []byte) {
	t.Helper()
	response, err := b.web.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	file, err = io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, file
}

// Objects returns the keys of all objects that are there, sorted.
func (b *Bucket) Objects(t testing.TB) []string {
	t.Helper()
	b.mu.Lock()
	keys := slices.Clone(b.keys)
	b.mu.Unlock()
	slices.Sort(keys)
	return slices.DeleteFunc(slices.Compact(keys), func(key string) bool {
		_, err := b.Inspect(context.Background(), key)
		if err != nil && !errors.Is(err, parley.ErrNoObject) {
			t.Fatalf("inspect %s: %v", key, err)
		}
		return err != nil
	})
}
