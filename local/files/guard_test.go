package files_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"parley/local/files"
	"parley/shared/parley"
)

// post sends a form whose fields and files are written by fill.
func post(t *testing.T, url string, fill func(*multipart.Writer)) int {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	fill(w)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, &body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", w.FormDataContentType())
	return send(t, r).StatusCode
}

// send makes a request; of the answer only the head is of interest.
func send(t *testing.T, r *http.Request) *http.Response {
	t.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return &http.Response{}
	}
	response.Body.Close()
	return response
}

func writeFields(w *multipart.Writer, fields map[string]string) {
	for name, value := range fields {
		_ = w.WriteField(name, value)
	}
}

func writeFile(w *multipart.Writer, file []byte) {
	part, _ := w.CreateFormFile("file", "any")
	_, _ = part.Write(file)
}

func upload(t *testing.T, g parley.UploadGrant, file []byte) int {
	t.Helper()
	return post(t, g.URL, func(w *multipart.Writer) {
		writeFields(w, g.Fields)
		writeFile(w, file)
		w.Close()
	})
}

func TestForms(t *testing.T) {
	b := serve(t, t.TempDir())
	for name, c := range map[string]struct {
		fill func(*multipart.Writer, map[string]string)
		want int
	}{
		"in order": {func(w *multipart.Writer, fields map[string]string) {
			writeFields(w, fields)
			writeFile(w, []byte("hello"))
			w.Close()
		}, http.StatusCreated},
		"key twice": {func(w *multipart.Writer, fields map[string]string) {
			_ = w.WriteField("Key", "other")
			writeFields(w, fields)
			writeFile(w, []byte("hello"))
			w.Close()
		}, http.StatusBadRequest},
		"key after the file": {func(w *multipart.Writer, fields map[string]string) {
			key := fields["key"]
			delete(fields, "key")
			writeFields(w, fields)
			writeFile(w, []byte("hello"))
			_ = w.WriteField("key", key)
			w.Close()
		}, http.StatusBadRequest},
		"no file": {func(w *multipart.Writer, fields map[string]string) {
			writeFields(w, fields)
			w.Close()
		}, http.StatusBadRequest},
		"cut in the file": {func(w *multipart.Writer, fields map[string]string) {
			writeFields(w, fields)
			writeFile(w, []byte("hel"))
		}, http.StatusBadRequest},
		"cut before the file": {func(w *multipart.Writer, fields map[string]string) {
			writeFields(w, fields)
		}, http.StatusBadRequest},
		"long fields": {func(w *multipart.Writer, fields map[string]string) {
			writeFields(w, fields)
			_ = w.WriteField("x-ignore-me", strings.Repeat("a", 20<<10))
			writeFile(w, []byte("hello"))
			w.Close()
		}, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			g := grant(t, b, strings.ReplaceAll(name, " ", "-"), 10)
			if got := post(t, g.URL, func(w *multipart.Writer) { c.fill(w, g.Fields) }); got != c.want {
				t.Errorf("POST = %d, want %d", got, c.want)
			}
			if _, err := b.Inspect(t.Context(), strings.ReplaceAll(name, " ", "-")); (err == nil) != (c.want == http.StatusCreated) {
				t.Errorf("Inspect = %v after %d", err, c.want)
			}
		})
	}
}

// signer signs requests as the server's own client does, but for what a case changes.
type signer struct {
	served
	payload string
	at      time.Time
}

// signed returns a request with a signature in its header.
func (s signer) signed(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	r := s.request(t, method, path, body)
	sum := sha256.Sum256([]byte(s.payload))
	credentials, err := s.Client().Options().Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, hex.EncodeToString(sum[:]), "s3", "us-east-1", s.at); err != nil {
		t.Fatal(err)
	}
	return r
}

// presigned returns a request with a signature in its query, good for some seconds.
func (s signer) presigned(t *testing.T, path, seconds string) *http.Request {
	t.Helper()
	r := s.request(t, http.MethodGet, path+"?X-Amz-Expires="+seconds, "")
	credentials, err := s.Client().Options().Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	url, _, err := v4.NewSigner().PresignHTTP(t.Context(), credentials, r, "UNSIGNED-PAYLOAD", "s3", "us-east-1", s.at)
	if err != nil {
		t.Fatal(err)
	}
	return s.request(t, http.MethodGet, strings.TrimPrefix(url, *s.Client().Options().BaseEndpoint), "")
}

func (s signer) request(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, *s.Client().Options().BaseEndpoint+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSignedRequests(t *testing.T) {
	b := serve(t, t.TempDir())
	upload(t, grant(t, b, "a", 10), []byte("hello"))
	const deletion = `<Delete><Object><Key>a</Key></Object></Delete>`
	now := time.Now()
	good := signer{served: b, at: now}
	header := func(r *http.Request, name, value string) *http.Request {
		r.Header.Set(name, value)
		return r
	}
	host := func(r *http.Request, host string) *http.Request {
		r.Host = host
		return r
	}
	for _, c := range []struct {
		name    string
		request *http.Request
		want    int
	}{
		{"read", good.signed(t, "GET", "/attachments/a", ""), http.StatusOK},
		{"link", good.presigned(t, "/attachments/a", "60"), http.StatusOK},
		{"part of a link", header(good.presigned(t, "/attachments/a", "60"), "Range", "bytes=1-2"), http.StatusPartialContent},
		{"not signed part", header(good.signed(t, "GET", "/attachments/a", ""), "Range", "bytes=1-2"), http.StatusOK},
		{"not signed copy", header(good.signed(t, "PUT", "/attachments/b", ""), "X-Amz-Copy-Source", "attachments/a"), http.StatusNotImplemented},
		{"credentials", good.signed(t, "GET", "/_credentials/secret-key", ""), http.StatusNotFound},
		{"put", good.signed(t, "PUT", "/attachments/b", ""), http.StatusNotImplemented},
		{"make a bucket", good.signed(t, "PUT", "/other", ""), http.StatusNotImplemented},
		{"other body", good.signed(t, "POST", "/attachments?delete", deletion), http.StatusForbidden},
		{"other host", host(good.signed(t, "GET", "/attachments/a", ""), "localhost"), http.StatusForbidden},
		{"link, other host", host(good.presigned(t, "/attachments/a", "60"), "localhost"), http.StatusForbidden},
		{"link, no life", good.presigned(t, "/attachments/a", "0"), http.StatusBadRequest},
		{"link, too long", good.presigned(t, "/attachments/a", "604801"), http.StatusBadRequest},
		{"link, expired", signer{served: b, at: now.Add(-2 * time.Minute)}.presigned(t, "/attachments/a", "60"), http.StatusForbidden},
		{"link, early", signer{served: b, at: now.Add(20 * time.Minute)}.presigned(t, "/attachments/a", "60"), http.StatusForbidden},
		{"late", signer{served: b, at: now.Add(-20 * time.Minute)}.signed(t, "GET", "/attachments/a", ""), http.StatusForbidden},
		{"early", signer{served: b, at: now.Add(20 * time.Minute)}.signed(t, "GET", "/attachments/a", ""), http.StatusForbidden},
		{"long body", signer{b, strings.Repeat("a", 3<<20), now}.signed(t, "POST", "/attachments?delete", strings.Repeat("a", 3<<20)), http.StatusBadRequest},
		{"delete", signer{b, deletion, now}.signed(t, "POST", "/attachments?delete=", deletion), http.StatusOK},
	} {
		if got := send(t, c.request).StatusCode; got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	if _, err := b.Inspect(t.Context(), "a"); !errors.Is(err, parley.ErrNoObject) {
		t.Errorf("Inspect after the deletion at the end = %v, want ErrNoObject", err)
	}
}

// FuzzStranger sends the server what it can be sent without credentials. Nothing
// but a preflight may succeed, and nothing may look like a fault of the server.
func FuzzStranger(f *testing.F) {
	server, err := files.Open(files.Config{Folder: f.TempDir(), Origin: "http://localhost:3001"})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { server.Close() })
	const form = "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\na\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"policy\"\r\n\r\ne30=\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\na\r\n--b--\r\n"
	f.Add("GET", "/attachments/a", "", "", "", "")
	f.Add("GET", "/attachments/a?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=0", "", "", "", "")
	f.Add("POST", "/attachments", "", "", "multipart/form-data; boundary=b", form)
	f.Add("PUT", "/attachments/a", "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, SignedHeaders=host;;x-amz-date;content-length, Signature=0", "now", "", "a")
	f.Fuzz(func(t *testing.T, method, target, authorization, date, contentType, body string) {
		r, err := http.NewRequestWithContext(context.Background(), method, "http://localhost:3001", strings.NewReader(body))
		if err != nil || method == http.MethodOptions {
			return
		}
		if r.URL, err = r.URL.Parse(target); err != nil {
			return
		}
		if date == "now" {
			date = time.Now().UTC().Format("20060102T150405Z")
		}
		r.Header = http.Header{"Authorization": {authorization}, "X-Amz-Date": {date}, "Content-Type": {contentType}}
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		if answer, _ := io.ReadAll(w.Body); w.Code/100 != 4 {
			t.Errorf("%s %s = %d %s", method, target, w.Code, answer)
		}
	})
}
