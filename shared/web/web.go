// Package web serves the web pages of Parley, and has what they share: modules,
// styles and third-party libraries. Plain HTML, CSS and ES modules, embedded as
// they are.
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

// Config is what a page has to say.
type Config struct {
	// Files are the page's own; index.html is one of them. Required.
	Files fs.FS
	// Index is the pattern of the address that answers with index.html, such as
	// "/{$}". Required.
	Index string
	// Prefix is where the other files are, such as "/page/"; what pages share is
	// below it in "web/". Required.
	Prefix string
	// Origins are the other origins ("https://host[:port]") that the page may
	// talk to and have pictures from.
	Origins []string
}

// Page is the handler of a page: it answers GET and HEAD of its files.
type Page struct {
	*http.ServeMux
	policy string
}

// New returns the page. An error means that an origin is none, or a file cannot
// be read.
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

// Add answers a pattern's path with a file; the type is that of its name.
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

// Policy returns the Content-Security-Policy of a page: scripts and styles
// only from its own files, none inline; calls and pictures only from its own
// origin and the given ones ("https://host[:port]"); and no markup from text
// except through the sanitizer's Trusted Types policy.
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

// contentTypes of the files there are; the machine's own table is not asked.
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
		// Kept, but asked for each time: a new release shows its new page at once.
		"Cache-Control": {"no-cache"},
		"Etag":          {`"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`},
	}}
}

// ServeHTTP answers 304 to who holds the file already.
func (a *asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
}
