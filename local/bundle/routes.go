package bundle

import (
	"net/http"
	"strings"
	"time"

	articles "parley/docs"
	"parley/functions/chat"
	closing "parley/functions/close"
	"parley/functions/consolews"
	"parley/functions/csat"
	"parley/functions/hissuno"
	"parley/functions/history"
	"parley/functions/identify"
	"parley/functions/opencx"
	"parley/functions/operator"
	"parley/functions/operator/console"
	"parley/functions/updates"
	"parley/functions/uploads"
	"parley/local/page"
	"parley/shared/api"
	"parley/shared/live"
	"parley/shared/parley"
)

// hold is how long an updates request may wait for news: here waiting is free,
// and no client or proxy that gives up after a minute does so before.
const hold = 55 * time.Second

// seats are more than on Lambda: here an answer that is kept open takes nothing
// from others, and all of a laptop's pages have one address.
var seats = parley.Seats{Reader: 64, Address: 256}

// articlesPath is where the articles can be read that the docs agent quotes.
const articlesPath = "/docs/"

// routes gives every function its paths, as in the template, and the page the rest.
func (b *Bundle) routes(calls *api.API) (http.Handler, error) {
	mux := http.NewServeMux()
	var failed error
	mount := func(h http.Handler, err error, patterns ...string) {
		if err != nil {
			failed = err
			return
		}
		for _, p := range patterns {
			mux.Handle(p, h)
		}
	}
	h, err := chat.New(chat.Config{API: calls, Engine: b.engine, Typing: b.pages.Typing})
	mount(h, err, "/chat", "/chat/")
	h, err = updates.New(updates.Config{API: calls, Hold: hold})
	mount(b.untilStop(h), err, "/updates/")
	h, err = closing.New(closing.Config{API: calls})
	mount(h, err, "/close")
	h, err = history.New(history.Config{API: calls})
	mount(h, err, "/history", "/history/")
	h, err = csat.New(csat.Config{API: calls})
	mount(h, err, "/csat", "/csat/")
	h, err = uploads.New(uploads.Config{API: calls})
	mount(h, err, "/uploads", "/uploads/", "/files/")
	h, err = identify.New(identify.Config{API: calls})
	mount(h, err, "/config", "/identify", "/identify/", "/openapi.yaml")
	h, err = opencx.New(opencx.Config{API: calls, Runs: b.engine.Dispatcher})
	mount(h, err, "/backend/", "/widget/")
	if err := b.openHub(mux, calls); err != nil {
		return nil, err
	}
	widget, err := hissuno.New(hissuno.Config{API: calls, Engine: b.engine, Hold: hold})
	if err != nil {
		return nil, err
	}
	support, err := b.openWidget(calls)
	if err != nil {
		return nil, err
	}
	desk, err := console.New(console.Config{Origins: []string{b.Files}})
	if err != nil {
		return nil, err
	}
	h, err = operator.New(operator.Config{API: calls, Runs: b.engine.Dispatcher, Hold: hold, CheckURL: b.checkURL, Console: desk,
		Typing: b.pages.Typing, Seen: b.pages.Seen, Socket: operator.SocketPath, Dismiss: b.pages.Dismiss})
	mount(b.untilStop(h), err, "/operator/", "/console", "/console/")
	desks, err := consolews.New(consolews.Config{Store: calls.Store, Live: b.pages, Log: b.log})
	if err != nil {
		return nil, err
	}
	b.mountSocket(mux, live.ConsoleAPI, operator.SocketPath, desks)
	h, err = page.New(page.Config{Key: b.Key, Origins: []string{b.Files}})
	mount(h, err, "/")
	mux.Handle("GET "+articlesPath, article(h))
	return oneSlash(under("hissuno", b.untilStop(widget), under("cossistant", support, mux))), failed
}

// under gives a handler every path below a name, as it is: http.ServeMux would
// answer one with doubled slashes with a redirect, which a preflight may not have.
func under(name string, below, rest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/"+name+"/") {
			below.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}

// oneSlash takes doubled slashes from the beginning of a path: pages whose base
// ends in one send them, and a redirect, as http.ServeMux would answer, would
// lose what they send.
func oneSlash(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "//") {
			u := *r.URL
			u.Path = "/" + strings.TrimLeft(u.Path, "/")
			if u.RawPath != "" {
				u.RawPath = "/" + strings.TrimLeft(u.RawPath, "/")
			}
			r = r.Clone(r.Context())
			r.URL = &u
		}
		next.ServeHTTP(w, r)
	})
}

// article serves the articles: to a browser that opens one, as a page, and to all
// others the text as it was written.
func article(pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := articles.FS.ReadFile(strings.TrimPrefix(r.URL.Path, articlesPath))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Vary", "Accept")
		if strings.Contains(r.Header.Get("Accept"), "text/html") {
			r = r.Clone(r.Context())
			r.URL.Path, r.URL.RawPath = page.Article, ""
			pages.ServeHTTP(w, r)
			return
		}
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		w.Write(text)
	})
}
