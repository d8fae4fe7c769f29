package bundletest

import (
	"encoding/json"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"gopkg.in/yaml.v3"

	"parley/functions/chat"
	"parley/functions/chathub"
	closing "parley/functions/close"
	"parley/functions/cossistant"
	"parley/functions/csat"
	"parley/functions/hissuno"
	"parley/functions/history"
	"parley/functions/identify"
	"parley/functions/internal/functiontest"
	"parley/functions/opencx"
	"parley/functions/operator"
	"parley/functions/operator/console"
	"parley/functions/updates"
	"parley/functions/uploads"
	"parley/shared/api"
	"parley/shared/lambdahttp"
	"parley/shared/lambdatest"
	"parley/shared/parley"
	"parley/shared/socket/apigateway"
)

// behaviour sends the paths of a pattern to an origin: a function by its name, or a
// WebSocket API by its logical id.
type behaviour struct{ pattern, origin string }

// behaviours are those of the template's distribution, in its order; the last is the
// default one.
func (tp *template) behaviours() []behaviour {
	tp.t.Helper()
	config := at(tp.doc, "Resources", "Distribution", "Properties", "DistributionConfig")
	var all []behaviour
	for _, b := range at(config, "CacheBehaviors").Content {
		all = append(all, behaviour{at(b, "PathPattern").Value, at(b, "TargetOriginId").Value})
	}
	return append(all, behaviour{"*", at(config, "DefaultCacheBehavior", "TargetOriginId").Value})
}

// routed returns where a path goes, as CloudFront decides it: to the first behaviour
// whose pattern matches.
func routed(all []behaviour, path string) string {
	for _, b := range all {
		if isFor(b.pattern, path) {
			return b.origin
		}
	}
	return ""
}

// isFor reports whether CloudFront's pattern matches a path: * is any number of
// characters, slashes among them, ? is one, all else is itself in the same case, and a
// slash at the beginning of the pattern makes no difference.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesCacheBehavior.html#DownloadDistValuesPathPattern
func isFor(pattern, path string) bool {
	expression := regexp.QuoteMeta(strings.TrimPrefix(pattern, "/"))
	expression = strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(expression)
	return regexp.MustCompile(`^/?` + expression + `$`).MatchString(path)
}

func TestPathPatterns(t *testing.T) {
	for _, test := range []struct {
		pattern, path string
		want          bool
	}{
		{"/chat*", "/chat", true}, {"/chat*", "/chat/s/runs/r", true}, {"/chat*", "/hissuno/chat", false}, {"/close", "/close/", false},
		{"/files/*", "/files", false}, {"/files/*", "/files/", true}, {"files/*.png", "/files/a/b.png", true}, {"/files/*.png", "/files/a/bxpng", false},
		{"/a?c", "/abc", true}, {"/a?c", "/ac", false}, {"/Close", "/close", false}, {"*", "/", true},
	} {
		if got := isFor(test.pattern, test.path); got != test.want {
			t.Errorf("%s matches %s: %v", test.pattern, test.path, got)
		}
	}
}

// served are the functions that answer requests, each with the routes of its handler.
type served struct {
	handler  http.Handler
	patterns []string // such as "POST /chat/{session}/cancel"
}

// handlers makes the handler of every function that has a URL.
func handlers(t *testing.T) map[string]served {
	t.Helper()
	k := functiontest.New(t, parley.Config{})
	engine := k.Engine(t, nil, nil)
	page, err := console.New(console.Config{})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]served{}
	for name, build := range map[string]func(a *api.API) http.Handler{
		"chat":     func(a *api.API) http.Handler { return chat.New(chat.Config{API: a, Engine: engine}) },
		"updates":  func(a *api.API) http.Handler { return updates.New(api.Updates{API: a}) },
		"close":    closing.New,
		"history":  history.New,
		"csat":     csat.New,
		"uploads":  uploads.New,
		"identify": identify.New,
		"hissuno":  func(a *api.API) http.Handler { return hissuno.New(hissuno.Config{API: a, Engine: engine}) },
		"opencx":   func(a *api.API) http.Handler { return opencx.New(opencx.Config{API: a, Runs: engine.Dispatcher}) },
		"cossistant": func(a *api.API) http.Handler {
			return cossistant.New(cossistant.Config{API: a, Runs: engine.Dispatcher})
		},
		"operator": func(a *api.API) http.Handler {
			return operator.New(operator.Config{API: a, Runs: engine.Dispatcher, Console: page})
		},
		"chathub": func(a *api.API) http.Handler {
			return chathub.New(chathub.Config{API: a, Runs: engine.Dispatcher, Sockets: &apigateway.Poster{}}).Negotiate
		},
	} {
		var s served
		a, err := api.New(api.Config{Store: k.Store, Keys: k.Keys, Log: slog.New(slog.DiscardHandler),
			Routed: func(pattern string) { s.patterns = append(s.patterns, pattern) }})
		if err != nil {
			t.Fatal(err)
		}
		s.handler = build(a)
		all[name] = s
	}
	return all
}

// answers reports whether a handler has something at an address, be it a refusal: all
// dialects show the text of the address that is none.
func answers(t *testing.T, h http.Handler, method, path string) bool {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader("{}")))
	return w.Code != http.StatusMethodNotAllowed && !(w.Code == http.StatusNotFound &&
		(strings.Contains(w.Body.String(), "there is no such address") || strings.Contains(w.Body.String(), "404 page not found")))
}

var pathValue = regexp.MustCompile(`\{\w+(\.\.\.)?\}`)

// TestDistributionKnowsEveryRoute: the distribution sends every route to a function
// that serves it: those of all handlers, those of the OpenAPI document, and the
// console's files.
func TestDistributionKnowsEveryRoute(t *testing.T) {
	tp := readTemplate(t, nil)
	behaviours, functions := tp.behaviours(), handlers(t)
	for _, name := range tp.functions() {
		if _, made := functions[name]; made != tp.hasURL(name) {
			t.Errorf("%s: the template gives it a URL: %v; this test makes its handler: %v", name, tp.hasURL(name), made)
		}
	}
	// address asks the function that a path is sent to; owner is the one that it must be.
	address := func(owner, method, pattern string) {
		path := pathValue.ReplaceAllString(pattern, "x1")
		to := routed(behaviours, path)
		if _, ok := functions[to]; !ok || owner != "" && to != owner {
			t.Errorf("%s %s is sent to %q, want %q", method, pattern, to, owner)
			return
		}
		if !answers(t, functions[to].handler, method, path) {
			t.Errorf("%s %s is sent to %s, which has nothing there", method, pattern, to)
		}
	}
	for name, s := range functions {
		if len(s.patterns) == 0 {
			t.Errorf("%s serves nothing", name)
		}
		for _, route := range s.patterns {
			method, pattern, _ := strings.Cut(route, " ")
			address(name, method, pattern)
		}
		if answers(t, s.handler, http.MethodGet, "/no/such/address") {
			t.Errorf("%s does not say of what address there is none", name)
		}
	}
	for pattern, methods := range documented(t) {
		for _, method := range methods {
			address("", method, pattern)
		}
	}
	for _, file := range append(consoleFiles(t), "/console", "/console/") {
		address("operator", http.MethodGet, file)
	}
}

// TestDistributionStores: what the distribution stores is what its function says never
// changes, and it is all that the console's page loads.
func TestDistributionStores(t *testing.T) {
	tp := readTemplate(t, nil)
	stored := map[string]bool{}
	for _, b := range at(tp.doc, "Resources", "Distribution", "Properties", "DistributionConfig", "CacheBehaviors").Content {
		if strings.Contains(at(b, "CachePolicyId").Content[2].Value, "Optimized") {
			stored[at(b, "PathPattern").Value] = true
		}
	}
	keeps := func(path string) bool {
		for _, b := range tp.behaviours() {
			if isFor(b.pattern, path) {
				return stored[b.pattern]
			}
		}
		return false
	}
	h := handlers(t)["operator"].handler
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	loads := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(get("/console/").Body.String(), -1)
	for _, l := range loads {
		if w := get(l[1]); w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || !keeps(l[1]) {
			t.Errorf("%s: %d, %v; stored: %v", l[1], w.Code, w.Header(), keeps(l[1]))
		}
	}
	for _, path := range append(consoleFiles(t), "/console/", "/operator/me", "/console/socket") {
		if keeps(path) {
			t.Errorf("%s is stored", path)
		}
	}
	if len(loads) < 5 {
		t.Errorf("the console's page loads %v", loads)
	}
}

// TestDistributionKnowsTheDialects: paths as the widgets make them, which a handler may
// take in more ways than it has routes.
func TestDistributionKnowsTheDialects(t *testing.T) {
	behaviours := readTemplate(t, nil).behaviours()
	for path, want := range map[string]string{
		"/hubs/chat":                          "ChathubSocket",
		"/hubs/chat/negotiate":                "chathub",
		operator.SocketPath:                   "ConsoleSocket",
		"/hissuno/shop/any/chat/stream":       "hissuno", // what an apiUrl has in between is dropped
		"/hissuno/chat/stream/":               "hissuno",
		"/cossistant/v1//conversations":       "cossistant",
		"/backend/widget/v2/poll/s":           "opencx",
		"/widget/v2/config":                   "opencx",
		"/operator/sessions/s%2F1/runs/r":     "operator",
		"/files/f-1/s-1/100%25%20caf%C3%A9.p": "uploads",
		"/chat/s/runs/close":                  "chat",
		"/":                                   "identify",
	} {
		if got := routed(behaviours, path); got != want {
			t.Errorf("%s is sent to %s, want %s", path, got, want)
		}
	}
}

// documented returns the paths of the OpenAPI document with their methods.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]any `yaml:"paths"`
	}
	if err := yaml.Unmarshal([]byte(api.OpenAPI), &doc); err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for pattern, item := range doc.Paths {
		for key := range item {
			if method := strings.ToUpper(key); slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, method) {
				all[pattern] = append(all[pattern], method)
			}
		}
	}
	if len(all) < 40 {
		t.Fatalf("the OpenAPI document has only %d paths", len(all))
	}
	return all
}

// consoleFiles are the addresses of the console's scripts and styles.
func consoleFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	folder := filepath.Join(root, "functions", "operator", "console", "files")
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && name != "index.html" {
			files = append(files, path.Join(console.Prefix, name))
		}
		return err
	})
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files of the console, %v", len(files), err)
	}
	return files
}

// testOneAddress: clients are told the distribution's address of everything, and
// sockets are there too.
func testOneAddress(t *testing.T, s *stack) {
	v := s.visitor(t)
	public := s.addresses["identify"]
	var told struct{ URLs map[string]string }
	v.into(v.do(http.MethodGet, public+"/config", nil), &told)
	for name, address := range told.URLs {
		if want := "https" + strings.TrimPrefix(public, "http"); address != want { // of CloudFront, which has certificates
			t.Errorf("%s is told to be at %s, want %s", name, address, want)
		}
	}
	if len(told.URLs) < 7 {
		t.Errorf("told of %v", told.URLs)
	}
	_, secret, err := s.store.AddPrivateKey(t.Context(), v.project, parley.PrivateKey{Name: "desk", Scopes: parley.Scopes()})
	if err != nil {
		t.Fatal(err)
	}
	desk := *v
	desk.token = secret
	var way struct{ Ticket, Socket string }
	if r := desk.do(http.MethodPost, public+"/operator/ticket", nil, "Origin", "https://"+lambdatest.URLDomain); r.StatusCode != http.StatusForbidden {
		t.Errorf("a page of the function's own host is answered %d behind the distribution", r.StatusCode)
	}
	here := "https" + strings.TrimPrefix(public, "http") // the console's own origin
	if made := desk.do(http.MethodPost, public+"/operator/ticket", nil, "Origin", here); made.StatusCode != http.StatusCreated || json.NewDecoder(made.Body).Decode(&way) != nil {
		t.Fatalf("ticket: %d", made.StatusCode)
	}
	c := dialConsole(t, "ws"+strings.TrimPrefix(public, "http")+way.Socket+"?ticket="+way.Ticket)
	c.say(object{"ping": true})
	c.hears("pong")
	// The hub's function is asked at both of its addresses, and misses a token.
	if r := v.do(http.MethodPost, public+chathub.NegotiatePath+"?agentId=x.ada", nil, "Authorization", ""); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("negotiate = %d", r.StatusCode)
	}
	if _, r, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(public, "http")+chathub.Path+"?agentId=x.ada", nil); err == nil || r.StatusCode != http.StatusUnauthorized {
		t.Errorf("connecting to the hub = %v, %v", r, err)
	}
}

// testNobodyPast: function URLs, the HTTP API and the WebSocket APIs refuse who comes to
// them directly, with whatever headers but the secret's.
func testNobodyPast(t *testing.T, s *stack) {
	forged := http.Header{lambdahttp.OriginSecretHeader: {"guessed"}, lambdahttp.ClientAddressHeader: {"198.51.100.23"}, lambdahttp.ClientHostHeader: {"d1.cloudfront.net"}}
	for _, name := range s.template.functions() {
		if !s.template.hasURL(name) {
			continue
		}
		for host, h := range map[string]http.Handler{"function URL": lambdatest.URLHandler(s.functions[name]), "HTTP API": lambdatest.APIHandler(s.functions[name])} {
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header = forged.Clone()
			h.ServeHTTP(w, r)
			if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "only_through_distribution") {
				t.Errorf("%s, %s: %d %s", name, host, w.Code, w.Body)
			}
		}
	}
	for api, at := range s.sockets {
		address := "ws" + strings.TrimPrefix(at.Endpoint, "http")
		if _, r, err := websocket.Dial(t.Context(), address+"?agentId=x.ada&ticket=t", &websocket.DialOptions{HTTPHeader: forged}); err == nil || r.StatusCode != http.StatusForbidden {
			t.Errorf("connecting to %s = %v, %v", api, r, err)
		}
	}
}
