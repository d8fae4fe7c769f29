// Package console is the operators' web page: the inbox, a session with its
// transcript as it is written, and the figures. Plain HTML, CSS and ES modules
// over the operator API, embedded as they are.
package console

import (
	"embed"
	"io/fs"
	"net/http"

	"parley/shared/web"
)

//go:embed files
var files embed.FS

// Prefix is where the console is. It calls /operator/… of the same origin.
const Prefix = "/console"

// Config is what the console has to know of the bundle that serves it.
type Config struct {
	// Origins are the other origins ("https://host[:port]") that it has pictures
	// from, uploads and connects to: of the function uploads, of the bucket, and of
	// the consoles' socket ("wss://host[:port]"), where that is at a host of its own.
	Origins []string
}

// New returns the handler of the console. It answers GET and HEAD of Prefix and
// of everything under it. An error means that an origin is none.
func New(c Config) (http.Handler, error) {
	own, err := fs.Sub(files, "files")
	if err != nil {
		return nil, err
	}
	return web.New(web.Config{Files: own, Index: Prefix + "/{$}", Prefix: Prefix + "/", Origins: c.Origins})
}
