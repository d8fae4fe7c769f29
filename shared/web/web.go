// Package web serves the web pages of Parley, and contains what they share:
// modules, styles and third-party libraries. They are plain HTML, CSS and ES
// modules, embedded unchanged.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

//go:embed files
var shared embed.FS

// Config describes a page.
type Config struct {
	// Files are the page's own; index.html is one of them. Required.
	Files fs.FS
	// Index is the pattern of the path that serves index.html, such as "/{$}".
	// Required.
	Index string
	// Prefix is the path of the other files, such as "/page/"; the shared files
	// are under it in "web/". Required.
	Prefix string
	// Origins are other origins ("https://host[:port]", or wss) that the page may call
	// and load images from.
	Origins []string
}

// Page is the handler of a page: it answers GET and HEAD of its files.
type Page struct {
	*http.ServeMux
	policy string
}

// New returns the page. The error is that an origin is malformed or a file
// cannot be read.
func New(c Config) (*Page, error) {
	policy, err := Policy(c.Origins...)
	if err != nil {
		return nil, err
	}
	common, err := fs.Sub(shared, "files")
	if err != nil {
		return nil, err
	}
	p := &Page{http.NewServeMux(), policy}
	if err := p.addAll(common, func(name string) string { return c.Prefix + "web/" + name }); err != nil {
		return nil, err
	}
	err = p.addAll(c.Files, func(name string) string {
		if name == "index.html" {
			return c.Index
		}
		return c.Prefix + name
	})
	return p, err
}

// Add serves a file at a pattern's path; its type follows from its name.
func (p *Page) Add(pattern, name string, body []byte) {
	p.Handle("GET "+pattern, newAsset(name, body, p.policy))
}

func (p *Page) addAll(files fs.FS, pattern func(name string) string) error {
	return fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		p.Add(pattern(name), name, body)
		return nil
	})
}

// Policy returns the Content-Security-Policy of a page. Scripts and styles come
// only from its own files, never inline; calls and images go only to its own
// origin and the given ones ("https://host[:port]"); and text becomes markup
// only through the sanitizer's Trusted Types policy.
func Policy(origins ...string) (string, error) {
	for _, o := range origins {
		u, err := url.Parse(o)
		if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != o || strings.ContainsAny(o, " ;,'\"*") {
			return "", fmt.Errorf("%q is not an origin such as https://example.com", o)
		}
	}
	others := strings.Join(append([]string{""}, origins...), " ")
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self'",
		"connect-src 'self'" + others,
		"img-src 'self' blob:" + others,
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
		"require-trusted-types-for 'script'",
		"trusted-types dompurify",
	}, "; "), nil
}

// asset is one file in memory.
type asset struct {
	body   []byte
	header http.Header
}

// contentTypes are those of the files that exist. The machine's own table is not
// used, since it differs from one to the other.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".mjs":  "text/javascript; charset=utf-8",
	".json": "application/json",
	".svg":  "image/svg+xml",
}

func newAsset(name string, body []byte, policy string) *asset {
	contentType, ok := contentTypes[path.Ext(name)]
	if !ok {
		contentType = "text/plain; charset=utf-8" // licences and notes
	}
	sum := sha256.Sum256(body)
	return &asset{body, http.Header{
		"Content-Type":            {contentType},
		"Content-Security-Policy": {policy},
		"X-Content-Type-Options":  {"nosniff"},
		"Referrer-Policy":         {"no-referrer"},
		// Browsers store the file but check it each time, so that a new release
		// shows at once.
		"Cache-Control": {"no-cache"},
		"Etag":          {`"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`},
	}}
}

// ServeHTTP answers with 304 if the client already has this version.
func (a *asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
}
