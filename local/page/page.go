// Package page is the web page of the local bundle: a landing page with the
// chat widget open on it. Plain HTML, CSS and ES modules, embedded as they are.
package page

import (
	"embed"
	"encoding/json"
	"net/http"

	"parley/shared/web"
)

//go:embed index.html article.html js css
var files embed.FS

// Config is what the page has to know of the bundle that serves it.
type Config struct {
	// Key is the public key of the project that answers on the page.
	Key string
	// Base is the address under which /config is found; "" is the page's own origin.
	Base string
	// Origins are the other origins that the page may talk to: those of Base, of
	// the functions that /config names, and of the bucket.
	Origins []string
}

// Article is the path of a page that shows the help article at whose address it is
// served.
const Article = "/page/article.html"

// New returns the handler of the page. It answers GET and HEAD of "/", of
// "/demo.json", from which the page learns key and base, and of everything
// under "/page/", among it Article. An error means that an origin is none.
func New(c Config) (http.Handler, error) {
	demo, _ := json.Marshal(struct { // strings always encode
		Key  string `json:"key"`
		Base string `json:"base,omitempty"`
	}{c.Key, c.Base})
	p, err := web.New(web.Config{Files: files, Index: "/{$}", Prefix: "/page/", Origins: c.Origins})
	if err != nil {
		return nil, err
	}
	p.Add("/demo.json", "demo.json", demo)
	return p, nil
}
