// Package web serves the web pages of Parley, and contains what they share:
// modules, styles and third-party libraries. They are plain HTML, CSS and ES
// modules, embedded unchanged.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
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
	// are under it in "web/". Required. HTML names what it loads by paths that begin
	// with it, and everything else by paths relative to its own.
	Prefix string
	// Origins are other origins ("https://host[:port]", or wss) that the page may call
	// and load images from.
	Origins []string
}

// Page is the handler of a page: it answers GET and HEAD of its files.
//
// All files but HTML are there twice: at their own paths, and below "~" and a hash of
// all files, where they never change. HTML names them there, so that a browser that has
// loaded a page once asks for nothing but its HTML again, and so may a cache on the way;
// a new release has another hash, and shows at once.
type Page struct {
	*http.ServeMux
	policy string
	// prefix is Config.Prefix, and lasting the one of files that never change.
	prefix, lasting string
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
	all, err := read(common, "web/")
	own, errOwn := read(c.Files, "")
	if err := errors.Join(err, errOwn); err != nil {
		return nil, err
	}
	all = append(all, own...)
	p := &Page{http.NewServeMux(), policy, c.Prefix, c.Prefix + "~" + hash(all) + "/"}
	for _, f := range all {
		if f.name == "index.html" {
			p.Add(c.Index, f.name, f.body)
			continue
		}
		p.Add(c.Prefix+f.name, f.name, f.body)
		if path.Ext(f.name) != ".html" {
			p.serve(p.lasting+f.name, f.name, f.body, forEver)
		}
	}
	return p, nil
}

// file is one of a page's, by its path below the prefix.
type file struct {
	name string
	body []byte
}

// read returns all files, which are served in a folder.
func read(files fs.FS, folder string) (all []file, err error) {
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(files, name)
		all = append(all, file{folder + name, body})
		return err
	})
	return all, err
}

// hash is of the names and contents of all files.
func hash(all []file) string {
	h := sha256.New()
	for _, f := range all {
		fmt.Fprintf(h, "%s %d\n", f.name, len(f.body))
		h.Write(f.body)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:9])
}

// How long clients keep a file: for ever, or only as long as they are told that it is
// the newest.
const (
	forEver = "public, max-age=31536000, immutable"
	checked = "no-cache"
)

// Add serves a file at a pattern's path; its type follows from its name. Clients check
// each time whether it has changed.
func (p *Page) Add(pattern, name string, body []byte) {
	if path.Ext(name) == ".html" {
		body = bytes.ReplaceAll(body, []byte(`="`+p.prefix), []byte(`="`+p.lasting))
	}
	p.serve(pattern, name, body, checked)
}

func (p *Page) serve(pattern, name string, body []byte, keep string) {
	p.Handle("GET "+pattern, newAsset(name, body, p.policy, keep))
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

func newAsset(name string, body []byte, policy, keep string) *asset {
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
		"Cache-Control":           {keep},
		"Etag":                    {`"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`},
	}}
}

// ServeHTTP answers with 304 if the client already has this version.
func (a *asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
}
