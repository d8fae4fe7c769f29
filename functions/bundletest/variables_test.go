package bundletest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"parley/shared/awstest"
	"parley/shared/lambdatest"
)

// required are the variables without which no function starts that has them.
var required = []string{"PARLEY_TABLE", "PARLEY_BUCKET", "PARLEY_SECRET_ARN", "PARLEY_RESPOND_FUNCTION", "PARLEY_HOOKS_FUNCTION", "PARLEY_REVIEW_FUNCTION",
	"PARLEY_PUSH_FUNCTION", "PARLEY_SOCKETS", "PARLEY_METRICS"}

// TestVariables starts each function without one after the other of the
// variables that the template gives it.
func TestVariables(t *testing.T) {
	s := deploy(t, functionURLs)
	for _, name := range s.template.functions() {
		if took, err := s.functions[name].Init(); err != nil {
			t.Errorf("%s: %v", name, err)
		} else {
			t.Logf("%-8s starts in %v", name, took)
		}
		for _, variable := range slices.Sorted(maps.Keys(s.template.environment(name))) {
			t.Run(name+" without "+variable, func(t *testing.T) {
				f := s.start(t, name, func(env map[string]string) { delete(env, variable) })
				switch {
				case slices.Contains(required, variable):
					refuses(t, f, variable+" is not set")
				case slices.Contains([]string{"hooks", "push", "respond"}, name) && variable == "PARLEY_URLS":
					refuses(t, f, "PARLEY_URLS does not name")
				case variable == "PARLEY_MODEL": // the agent of this stack is a model
					refuses(t, f, "")
				default:
					if _, err := f.Init(); err != nil {
						t.Errorf("%v: %s", err, f.Log())
					}
				}
			})
		}
	}
}

// TestWrongVariables: what is wrong is said in one line, and no secret with it.
func TestWrongVariables(t *testing.T) {
	s := deploy(t, functionURLs)
	const spoilt, short = "arn:aws:secretsmanager:us-east-1:123456789012:secret:Spoilt", "arn:aws:secretsmanager:us-east-1:123456789012:secret:Short"
	s.vault[spoilt], s.vault[short] = "verysecret", `{"master":"verysecret"}`
	tests := []struct{ name, function, variable, value, want string }{
		{"secret that is not there", "history", "PARLEY_SECRET_ARN", "arn:aws:secretsmanager:us-east-1:123456789012:secret:None", "fetch secret"},
		{"secret that is no object", "close", "PARLEY_SECRET_ARN", spoilt, "the master secret is not a JSON object"},
		{"secret that is short", "csat", "PARLEY_SECRET_ARN", short, "has 10 bytes"},
		{"addresses that are none", "identify", "PARLEY_URLS", "{", "PARLEY_URLS"},
		{"no region", "history", "AWS_REGION", "", "AWS_REGION is not set"},
		{"agent that is none", "chat", "PARLEY_AGENT", "parrot", "PARLEY_AGENT"},
		{"base that is none", "respond", "PARLEY_BASE_URL", "model.example", "base URL"},
		{"key that is not there", "chat", "PARLEY_AGENT_KEY_ARN", "arn:aws:ssm:us-east-1:123456789012:parameter/none", "fetch parameter"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := s.start(t, test.function, func(env map[string]string) { env[test.variable] = test.value })
			refuses(t, f, test.want)
			if strings.Contains(f.Log(), "verysecret") {
				t.Errorf("the log tells the secret: %s", f.Log())
			}
		})
	}
}

// TestSessionToken: the keys that Lambda gives a function are valid only with a token.
func TestSessionToken(t *testing.T) {
	s := deploy(t, functionURLs)
	s.keys.SessionToken = rand.Text()
	server, address := listen(t)
	run(server, awstest.Signed(t, "secretsmanager", s.keys, s.vault))
	s.aws["AWS_ENDPOINT_URL_SECRETS_MANAGER"] = address
	f := s.start(t, "close", func(env map[string]string) { env["AWS_SESSION_TOKEN"] = s.keys.SessionToken })
	if _, err := f.Init(); err != nil {
		t.Error(err)
	}
}

// TestRotation: what was signed before the master secret was replaced is valid
// until the old one is taken away.
func TestRotation(t *testing.T) {
	s := deploy(t, functionURLs)
	v := s.visitor(t)
	const during, after = "arn:aws:secretsmanager:us-east-1:123456789012:secret:During", "arn:aws:secretsmanager:us-east-1:123456789012:secret:After"
	master := rand.Text() + rand.Text()
	s.vault[during] = fmt.Sprintf(`{"master":%q,"previous":%q}`, master, s.master)
	s.vault[after] = fmt.Sprintf(`{"master":%q}`, master)
	for _, test := range []struct {
		arn  string
		want int
	}{{masterARN, http.StatusOK}, {during, http.StatusOK}, {after, http.StatusUnauthorized}} {
		f := s.start(t, "history", func(env map[string]string) { env["PARLEY_SECRET_ARN"] = test.arn })
		server, address := listen(t)
		run(server, lambdatest.URLHandler(f))
		if got := v.do(http.MethodGet, address+"/history", nil).StatusCode; got != test.want {
			t.Errorf("with the secret %s a token is answered %d, want %d", test.arn, got, test.want)
		}
	}
}

// refuses wants a start that ends with one line of the log.
func refuses(t *testing.T, f *lambdatest.Function, want string) {
	t.Helper()
	_, err := f.Init()
	failed, ok := err.(*lambdatest.Error)
	if !ok || failed.Type != "Runtime.ExitError" || !strings.Contains(failed.Message, "exit status 1") {
		t.Errorf("start = %v, want exit status 1", err)
	}
	var line struct{ Level, Msg, Message, Error string }
	if err := json.Unmarshal([]byte(f.Log()), &line); err != nil || line.Level != "ERROR" || line.Error == "" || !strings.Contains(line.Error, want) {
		t.Errorf("log = %q, %v; want one line with %q", f.Log(), err, want)
	}
	t.Log(line.Error)
}
