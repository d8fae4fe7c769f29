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
	desk, err := console.New(console.Config{Origins: []string{b.Files}})
	if err != nil {
		return nil, err
	}
	start, err := page.New(page.Config{Key: b.Key, Origins: []string{b.Files}})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mount := func(h http.Handler, patterns ...string) {
		for _, p := range patterns {
			mux.Handle(p, h)
		}
	}
	runs := b.engine.Dispatcher
	mount(chat.New(chat.Config{API: calls, Engine: b.engine, Typing: b.pages.Typing}), "/chat", "/chat/")
	mount(b.untilStop(updates.New(api.Updates{API: calls, Hold: hold})), "/updates/")
	mount(closing.New(calls), "/close")
	mount(history.New(calls), "/history", "/history/")
	mount(csat.New(calls), "/csat", "/csat/")
	mount(uploads.New(calls), "/uploads", "/uploads/", "/files/")
	mount(identify.New(calls), "/config", "/identify", "/identify/", "/openapi.yaml")
	mount(opencx.New(opencx.Config{API: calls, Runs: runs}), "/backend/", "/widget/")
	mount(b.untilStop(operator.New(operator.Config{API: calls, Runs: runs, Hold: hold, CheckURL: b.checkURL, Console: desk,
		Typing: b.pages.Typing, Seen: b.pages.Seen, Socket: operator.SocketPath, Dismiss: b.pages.Dismiss})), "/operator/", "/console", "/console/")
	b.mountSocket(mux, live.ConsoleAPI, operator.SocketPath, consolews.New(consolews.Config{Store: calls.Store, Live: b.pages, Log: b.log}))
	b.openHub(mux, calls)
	mount(start, "/")
	mux.Handle("GET "+articlesPath, article(start))
	widget := hissuno.New(hissuno.Config{API: calls, Engine: b.engine, Hold: hold})
	return oneSlash(under("hissuno", b.untilStop(widget), under("cossistant", b.openWidget(calls), mux))), nil
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
