package bundletest

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"parley/functions/opencx/opencxtest"
	"parley/shared/api/apitest"
	"parley/shared/lambdahttp"
	"parley/shared/lambdatest"
)

// listen takes an address for a server that starts later.
func listen(t *testing.T) (*httptest.Server, string) {
	server := httptest.NewUnstartedServer(nil)
	t.Cleanup(server.Close)
	return server, "http://" + server.Listener.Addr().String()
}

func run(server *httptest.Server, h http.Handler) {
	server.Config.Handler = h
	server.Start()
}

// gateway is the HTTP API: it knows the template's routes and nothing else.
func (s *stack) gateway() http.Handler {
	routes := map[string]http.Handler{}
	for path, name := range s.template.routes() {
		routes[path] = lambdatest.APIHandler(s.functions[name])
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for path, h := range routes {
			if matches(path, r.URL.EscapedPath()) {
				h.ServeHTTP(w, r)
				return
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"message":"Not Found"}`)
	})
}

func matches(route, path string) bool {
	if before, greedy := strings.CutSuffix(route, "{path+}"); greedy {
		return strings.HasPrefix(path, before) && path != before
	}
	want, got := strings.Split(route, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if want[i] != got[i] && (!strings.HasPrefix(want[i], "{") || got[i] == "") {
			return false
		}
	}
	return true
}

// distribution is CloudFront: it asks the origin that the template's behaviours name, as
// its functions on viewer requests have it asked, from a server of its own.
func (s *stack) distribution() http.Handler {
	s.t.Helper()
	behaviours := s.template.behaviours()
	functions := map[string]http.Handler{}
	for _, name := range s.template.functions() {
		functions[name] = lambdatest.URLHandler(s.functions[name])
	}
	var secret struct{ Origin string }
	if err := json.Unmarshal([]byte(s.vault[originARN]), &secret); err != nil {
		s.t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, viewer *http.Request) {
		r := viewer.Clone(viewer.Context())
		ip, _, _ := strings.Cut(viewer.RemoteAddr, ":")
		r.Header.Add("X-Forwarded-For", ip)
		r.Header.Set(lambdahttp.ClientAddressHeader, ip)
		r.Header.Set(lambdahttp.ClientHostHeader, viewer.Host)
		r.Header.Set(lambdahttp.OriginSecretHeader, secret.Origin)
		r.RemoteAddr, r.Host = edgeAddress+":443", "origin.example"
		origin := routed(behaviours, viewer.URL.EscapedPath())
		if function, ok := functions[origin]; ok {
			function.ServeHTTP(w, r)
			return
		}
		for api, gateway := range s.gateways {
			if origin == socketID(api) {
				r.URL.Path = "/live"
				gateway.ServeHTTP(w, r)
			}
		}
	})
}

// edgeAddress is the one of CloudFront's servers.
const edgeAddress = "203.0.113.77"

// locked is a model for who has its key.
func locked(t *testing.T, m *apitest.ModelServer, key string) http.Handler {
	t.Helper()
	target, err := url.Parse(strings.TrimSuffix(m.URL, "/v1"))
	if err != nil {
		t.Fatal(err)
	}
	model := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0), // of clients that were killed
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+key {
			http.Error(w, "wrong key", http.StatusUnauthorized)
			return
		}
		// A server that begins to answer closes what nobody has read of the request.
		question, err := io.ReadAll(r.Body)
		if err != nil {
			return // the function was killed
		}
		r.Body = io.NopCloser(bytes.NewReader(question))
		model.ServeHTTP(w, r)
	})
}

// vault is Secrets Manager and the parameters of Systems Manager, behind
// awstest.Signed: texts by ARN.
type vault map[string]string

func (v vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		SecretID       string `json:"SecretId"`
		Name           string
		WithDecryption bool
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if kind := r.Header.Get("Content-Type"); r.Method != http.MethodPost || r.URL.Path != "/" || kind != "application/x-amz-json-1.1" {
		http.Error(w, "no request of the protocol: "+r.Method+" "+r.URL.Path+" "+kind, http.StatusBadRequest)
		return
	}
	target := r.Header.Get("X-Amz-Target")
	secret, isSecret := v[in.SecretID]
	parameter, isParameter := v[in.Name]
	if path := strings.Split(in.Name, "/"); len(path) == 6 && path[1] == "parley" && path[3] == "actions" {
		parameter, isParameter = opencxtest.Secret(path[5]), true
	}
	var out any
	switch {
	case target == "secretsmanager.GetSecretValue" && isSecret:
		out = map[string]string{"ARN": in.SecretID, "SecretString": secret}
	case target == "AmazonSSM.GetParameter" && isParameter && in.WithDecryption:
		out = map[string]any{"Parameter": map[string]string{"ARN": in.Name, "Value": parameter}}
	default:
		w.WriteHeader(http.StatusBadRequest)
		out = map[string]string{"__type": "ResourceNotFoundException", "Message": target + " finds nothing"}
	}
	json.NewEncoder(w).Encode(out)
}
