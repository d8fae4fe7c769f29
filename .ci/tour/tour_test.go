// Package tour takes the functions of template.yaml on a tour through SAM CLI: each
// route of the HTTP API is called in `sam local start-api`, whose containers are run by
// Docker or Podman. .ci/samlocal runs it; see there.
package tour

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"gopkg.in/yaml.v3"

	"parley/local/sam"
	"parley/shared/api"
	"parley/shared/api/apitest"
)

// root is the top of the repository.
var root = filepath.Join("..", "..")

// logName keeps what SAM and the functions have said, for who has to find out why.
var logName = filepath.Join(root, ".cache", "samlocal.log")

type object = map[string]any

func TestTour(t *testing.T) {
	log, err := os.Create(logName)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	began := time.Now()
	s, err := sam.Start(t.Context(), sam.Config{Root: root, Table: os.Getenv("PARLEY_DYNAMODB"), Minimal: true, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	t.Logf("everything runs after %v, in containers of %s", time.Since(began).Round(time.Second), s.Engine)
	t.Run("routes", func(t *testing.T) {
		t.Run("API", func(t *testing.T) {
			t.Parallel()
			u := s.URL
			apitest.Tour(t, apitest.Host{URLs: api.URLs{Identify: u, Chat: u, Updates: u, Close: u, History: u, CSAT: u, Uploads: u},
				Operator: u, Store: s.Store, Master: s.Master, HTTPAPI: true})
		})
		for name, tour := range map[string]func(*page){"console": console, "hissuno": hissuno, "opencx": openCX, "cossistant": cossistant, "chathub": chatHub} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				tour(&page{t, s, http.Header{"Origin": {"http://localhost:8000"}}})
			})
		}
	})
	if !t.Failed() {
		everyRoute(t)
	}
	select {
	case err := <-s.Ended():
		t.Error(err)
	default:
	}
}

// page is a client of a dialect, with the headers that it sends.
type page struct {
	t *testing.T
	*sam.Stack
	header http.Header
}

// call makes a request that has to succeed, and returns the answer.
func (p *page) call(method, path string, body any) string {
	p.t.Helper()
	var sent io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			p.t.Fatal(err)
		}
		sent = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.URL+path, sent)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header = p.header.Clone()
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		p.t.Fatalf("%s %s = %s %s, %v", method, path, response.Status, b, err)
	}
	return string(b)
}

// field returns a text of an answer that is a JSON object.
func (p *page) field(answer, name string) string {
	p.t.Helper()
	var out object
	if err := json.Unmarshal([]byte(answer), &out); err != nil {
		p.t.Fatalf("%s: %v", answer, err)
	}
	text, ok := out[name].(string)
	if !ok {
		p.t.Fatalf("no %s in %s", name, answer)
	}
	return text
}

func (p *page) key() string { return p.Demo.PublicKeys[0] }

// answers checks that an answer tells what Parley is.
func (p *page) answers(text string) {
	p.t.Helper()
	if !strings.Contains(text, "self-hosted") {
		p.t.Errorf("the answer is %q", text)
	}
}

const question = "What is Parley?"

// console: the page is at the address that people are told, with its parts.
func console(p *page) {
	for _, path := range []string{"/console/", "/console"} {
		text := p.call(http.MethodGet, path, nil)
		if !strings.Contains(text, "<html") {
			p.t.Errorf("%s = %s", path, text)
		}
		for _, file := range regexp.MustCompile(`(?:src|href)="(/?[^":]+\.(?:js|css))"`).FindAllStringSubmatch(text, -1) {
			p.call(http.MethodGet, "/console/"+strings.TrimPrefix(file[1], "/console/"), nil)
		}
	}
}

func hissuno(p *page) {
	const session = "0b6f43a4-6d6e-4c4e-9d0c-6a3d6f3f9d11"
	p.call(http.MethodPost, "/hissuno/chat", object{"projectId": p.key(), "sessionId": session,
		"pageUrl": "http://localhost:8000/", "pageTitle": "Shop", "messages": []object{{"role": "user", "content": question}}})
	p.answers(p.call(http.MethodGet, "/hissuno/chat/stream?"+url.Values{"projectId": {p.key()}, "sessionId": {session}}.Encode(), nil))
}

// openCX's answers come from respond, which one function has another invoke.
func openCX(p *page) {
	p.header.Set("X-Bot-Token", p.key())
	for _, base := range []string{"/widget/v2", "/backend/widget/v2"} {
		p.call(http.MethodGet, base+"/config", nil)
	}
	const base = "/backend/widget/v2"
	token := p.field(p.call(http.MethodPost, base+"/contact/create-unverified", object{"non_verified_custom_data": object{}}), "token")
	p.header.Set("Authorization", "Bearer "+token)
	session := p.field(p.call(http.MethodPost, base+"/create-session", object{"customData": object{"external_id": "0b6f43a4-6d6e-4c4e-9d0c-6a3d6f3f9d13"}}), "id")
	p.answers(p.call(http.MethodPost, base+"/chat/send", object{"uuid": "0b6f43a4-6d6e-4c4e-9d0c-6a3d6f3f9d12", "content": question,
		"session_id": session, "bot_token": p.key(), "attachments": []any{}, "custom_data": object{}}))
}

func cossistant(p *page) {
	p.header.Set("X-Public-Key", p.key())
	p.call(http.MethodGet, "/cossistant/v1/websites", nil)
}

func chatHub(p *page) {
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "ann", "exp": time.Now().Add(time.Hour).Unix()})
	token.Header["kid"] = p.Demo.SigningKey
	text, err := token.SignedString([]byte(p.Demo.SigningSecret))
	if err != nil {
		p.t.Fatal(err)
	}
	p.call(http.MethodPost, "/hubs/chat/negotiate?"+url.Values{"negotiateVersion": {"1"}, "agentId": {"demo.guide"}, "access_token": {text}}.Encode(), nil)
}

// everyRoute: by the log of SAM, a request came to each route of the template, and was
// answered well.
func everyRoute(t *testing.T) {
	log, err := os.ReadFile(logName)
	if err != nil {
		t.Fatal(err)
	}
	var called []string
	plain := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAll(log, nil)
	for _, m := range regexp.MustCompile(`"[A-Z]+ ([^ ?]+)[^ ]* HTTP/1\.1" [23]\d\d `).FindAllStringSubmatch(string(plain), -1) {
		called = append(called, m[1])
	}
	for _, path := range paths(t) {
		pattern := regexp.QuoteMeta(path)
		pattern = regexp.MustCompile(`\\\{\w+\\\+\\\}`).ReplaceAllString(pattern, `.+`)
		pattern = regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(pattern, `[^/]+`)
		if !slices.ContainsFunc(called, regexp.MustCompile("^"+pattern+"$").MatchString) && path != "/chat/{session}/form" { // no form was asked for
			t.Errorf("nothing was answered at %s", path)
		}
	}
}

// paths are those of the HTTP API.
func paths(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct {
			Properties struct {
				Events map[string]struct {
					Type       string `yaml:"Type"`
					Properties struct {
						Path string `yaml:"Path"`
					} `yaml:"Properties"`
				} `yaml:"Events"`
			} `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	for _, r := range template.Resources {
		for _, e := range r.Properties.Events {
			if e.Type == "HttpApi" {
				all = append(all, e.Properties.Path)
			}
		}
	}
	if len(all) == 0 {
		t.Fatal("the template has no routes")
	}
	return all
}
