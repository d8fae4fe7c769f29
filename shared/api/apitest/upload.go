package apitest

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"parley/shared/parley"
)

// granted is leave to upload.
type granted struct {
	ID     string
	Upload struct {
		URL    string
		Fields map[string]string
	}
	File struct {
		ID, Name, Type, URL string
		Size                int64
	}
}

func (b *browser) grant(name, mediaType string, size int) granted {
	b.t.Helper()
	return into[granted](b.do(call{method: http.MethodPost, path: "/uploads",
		body: map[string]any{"name": name, "type": mediaType, "size": size}}).is(http.StatusCreated))
}

// upload sends the form that was granted, as a browser would.
func (b *browser) upload(g granted, content string) {
	b.t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for name, value := range g.Upload.Fields {
		if err := w.WriteField(name, value); err != nil {
			b.t.Fatal(err)
		}
	}
	file, err := w.CreateFormFile("file", g.File.Name)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := io.WriteString(file, content); err != nil {
		b.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.t.Fatal(err)
	}
	response, err := client.Post(g.Upload.URL, w.FormDataContentType(), &form)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		body, _ := io.ReadAll(response.Body)
		b.t.Fatalf("upload = %d %s", response.StatusCode, body)
	}
}

// uploaded is a file that is complete.
func (b *browser) uploaded(name, mediaType, content string) granted {
	b.t.Helper()
	g := b.grant(name, mediaType, len(content))
	b.upload(g, content)
	b.post("/uploads/"+g.ID+"/complete", nil)
	return g
}

// testUploads: what is attached was checked, and is served from elsewhere
// (invariant 11).
func testUploads(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	const name, content = "Straße 1.txt", "Hello, world.\n"
	complete := func(id string) *answer {
		return b.do(call{method: http.MethodPost, path: "/uploads/" + id + "/complete"})
	}
	attach := func(ids ...string) *answer {
		return b.do(call{method: http.MethodPost, path: "/chat", body: ask("See this").with("attachments", ids)})
	}

	g := b.grant(name, "text/plain", len(content))
	if g.File.ID != g.ID || g.File.Name != name || g.File.Type != "text/plain" || g.File.Size != int64(len(content)) {
		t.Errorf("file = %+v", g.File)
	}
	complete(g.ID).fails(http.StatusConflict, "upload_incomplete")
	attach(g.ID).fails(http.StatusUnprocessableEntity, "attachment_incomplete")
	b.file(g.File.URL).fails(http.StatusNotFound, "not_found")
	b.upload(g, content)
	for range 2 {
		complete(g.ID).is(http.StatusOK)
	}
	attach(g.ID, g.ID).fails(http.StatusUnprocessableEntity, "attachment_unknown")
	sent := turnOf(t, attach(g.ID).is(http.StatusOK).events)
	attach(g.ID).fails(http.StatusUnprocessableEntity, "attachment_unknown")
	parts := sent.accepted.Message.Parts
	if len(parts) != 1 || parts[0].Type != "attachment" || parts[0].ID != g.ID || parts[0].Name != name || parts[0].MediaType != "text/plain" || parts[0].URL != g.File.URL {
		t.Fatalf("parts = %+v, want the file at %s", parts, g.File.URL)
	}
	b.downloads(parts[0].URL, content)
	b.file(strings.Replace(parts[0].URL, "/"+g.ID+"/", "/"+g.ID+"/x", 1)).fails(http.StatusNotFound, "not_found")

	picture := b.grant("cat.png", "image/png", len(content))
	b.upload(picture, content)
	complete(picture.ID).fails(http.StatusUnprocessableEntity, "upload_refused")
	attach(picture.ID).fails(http.StatusUnprocessableEntity, "attachment_incomplete")

	alone := b.uploaded("alone.txt", "text/plain", content)
	only := b.chat(message{"messageId": fresh("m"), "attachments": []string{alone.ID}, "sessionId": sent.accepted.Session.ID})
	if only.accepted.Message.Text != "" || len(only.accepted.Message.Parts) != 1 {
		t.Errorf("a message of a file alone = %+v", only.accepted.Message)
	}
	b.do(call{method: http.MethodDelete, path: "/history/" + string(sent.accepted.Session.ID)}).is(http.StatusOK)
	b.file(g.File.URL).fails(http.StatusNotFound, "not_found")

	post := map[string]any{"name": "a.txt", "type": "text/plain", "size": 5}
	off := s.project(t, func(p *parley.Project) { p.Uploads.Disabled = true }).visitor()
	off.do(call{method: http.MethodPost, path: "/uploads", body: post}).fails(http.StatusForbidden, "uploads_off")
	few := s.project(t, func(p *parley.Project) { p.Budgets.UploadsPerHour = 1 }).visitor()
	few.grant("a.txt", "text/plain", 5)
	few.do(call{method: http.MethodPost, path: "/uploads", body: post}).fails(http.StatusTooManyRequests, "uploads_limit")
}

// file asks for a lasting address, as a link would: without key, token or origin.
func (b *browser) file(address string) *answer {
	b.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		b.t.Fatal(err)
	}
	if !strings.HasPrefix(address, b.URLs.Uploads+"/files/") {
		b.t.Errorf("address %s is not one of the uploads function at %s", address, b.URLs.Uploads)
	}
	return (&browser{suite: b.suite, t: b.t}).do(call{method: http.MethodGet, path: u.EscapedPath()})
}

// downloads checks what a lasting address leads to.
func (b *browser) downloads(address, content string) {
	b.t.Helper()
	response, err := client.Get(b.file(address).is(http.StatusFound).header.Get("Location"))
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || string(body) != content || response.StatusCode != http.StatusOK {
		b.t.Errorf("download = %d %q, %v; want %q", response.StatusCode, body, err, content)
	}
	if d := response.Header.Get("Content-Disposition"); !strings.HasPrefix(d, "attachment") {
		b.t.Errorf("Content-Disposition = %q, want an attachment", d)
	}
}
