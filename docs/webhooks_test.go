package docs_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/functions/hooks"
	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/token"
)

// signed is a published example of a signature.
type signed struct {
	Time    int64
	Body    string
	Secrets []string
	Header  string
}

func vectors(t *testing.T) []signed {
	t.Helper()
	b, err := os.ReadFile("../functions/hooks/testdata/signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []signed
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// webhookExample returns a code block of webhooks.md.
func webhookExample(t *testing.T, info string) string {
	t.Helper()
	for _, f := range page(t, "webhooks.md").fences {
		if f.info == info {
			return f.text
		}
	}
	t.Fatalf("webhooks.md has no %s", info)
	return ""
}

// The published signatures are those that the function makes.
func TestWebhookVectors(t *testing.T) {
	var told []signed
	for _, row := range page(t, "webhooks.md").rows(4) {
		header := spans(row[3])
		if len(header) != 1 || !strings.HasPrefix(header[0], "t=") {
			continue
		}
		v := signed{Secrets: spans(row[0]), Header: header[0], Body: strings.Join(spans(row[2]), "")}
		if _, err := fmt.Sscan(row[1], &v.Time); err != nil {
			t.Fatal(err)
		}
		told = append(told, v)
		if got := hooks.Sign(time.Unix(v.Time, 0), []byte(v.Body), v.Secrets...); got != v.Header {
			t.Errorf("webhooks.md has %s, want %s", v.Header, got)
		}
	}
	if want := vectors(t); fmt.Sprint(told) != fmt.Sprint(want) {
		t.Errorf("webhooks.md has the vectors %v, want %v", told, want)
	}
}

// cases are what a receiver has to take and to refuse: the vectors, and each of
// them a little wrong.
func cases(t *testing.T) (headers, bodies []string, secrets [][]string, now []int64, want []bool) {
	add := func(header, body string, keys []string, at int64, fits bool) {
		headers, bodies, secrets, now, want = append(headers, header), append(bodies, body), append(secrets, keys), append(now, at), append(want, fits)
	}
	for _, v := range vectors(t) {
		for _, secret := range v.Secrets {
			add(v.Header, v.Body, []string{secret}, v.Time+299, true)
		}
		add(v.Header, v.Body, []string{"whsec_another", v.Secrets[0]}, v.Time-299, true)
		add(v.Header, v.Body, v.Secrets, v.Time+301, false)
		add(v.Header, v.Body, v.Secrets, v.Time-301, false)
		add(v.Header, v.Body+" ", v.Secrets, v.Time, false)
		add(v.Header, v.Body, []string{"whsec_another"}, v.Time, false)
		add(strings.Replace(v.Header, "t=", "t=1", 1), v.Body, v.Secrets, v.Time, false)
		add(strings.ReplaceAll(v.Header, "v1=", "v1=00"), v.Body, v.Secrets, v.Time, false)
		add("", v.Body, v.Secrets, v.Time, false)
		add("t=x,v1=", v.Body, v.Secrets, v.Time, false)
	}
	return headers, bodies, secrets, now, want
}

// The program that webhooks.md has Node.js users copy takes and refuses what it has to.
func TestWebhookExampleInNode(t *testing.T) {
	path := program(t, "node")
	headers, bodies, secrets, now, want := cases(t)
	input, err := json.Marshal([]any{headers, bodies, secrets, now})
	if err != nil {
		t.Fatal(err)
	}
	got := execute(t, webhookExample(t, "js")+"const [h, b, s, n] = "+string(input)+
		";\nprocess.stdout.write(JSON.stringify(h.map((header, i) => verifyWebhook(header, Buffer.from(b[i]), s[i], n[i] * 1000))));\n",
		path, "--input-type=module", "-")
	if wanted, _ := json.Marshal(want); got != string(wanted) {
		t.Errorf("verifyWebhook in Node.js = %s, want %s", got, wanted)
	}
}

// So does the one for Go.
func TestWebhookExampleInGo(t *testing.T) {
	headers, bodies, secrets, now, want := cases(t)
	example := strings.Replace(webhookExample(t, "go"), "import (", "import (\n\t\"fmt\"", 1)
	var calls strings.Builder
	for i := range headers {
		fmt.Fprintf(&calls, "\tfmt.Println(verifyWebhook(%q, []byte(%q), %#v, time.Unix(%d, 0)))\n", headers[i], bodies[i], secrets[i], now[i])
	}
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte("package main\n\n"+example+"\nfunc main() {\n"+calls.String()+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := strings.Fields(execute(t, "", program(t, "go"), "run", file))
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("verifyWebhook in Go = %v, want %v", got, want)
	}
}

// The secret that people compute is the one that signs.
func TestWebhookSecretExample(t *testing.T) {
	path := program(t, "python3")
	k, err := token.New(token.Config{Masters: [][]byte{[]byte(master)}})
	if err != nil {
		t.Fatal(err)
	}
	s := parleytest.Store(t, parley.Config{Derive: k.Derive})
	want := s.HookSecrets(project, parley.Hook{ID: "crm", Keys: []string{"k1"}})
	got := execute(t, webhookExample(t, "python")+"print(webhook_secret('"+master+"', '"+string(project)+"', 'crm', 'k1'))\n", path, "-")
	if len(want) != 1 || got != want[0] {
		t.Errorf("webhook_secret = %q, want %q", got, want)
	}
}

// The example of a body has what a body has.
func TestWebhookBodyExample(t *testing.T) {
	var told, want map[string]any
	if err := json.Unmarshal([]byte(webhookExample(t, "json webhook")), &told); err != nil {
		t.Fatal(err)
	}
	entry := api.NewEntry(parley.Entry{ID: "m2"}, nil)
	b, err := json.Marshal(hooks.Body{Type: parley.HookMessage, Entry: &entry})
	if err == nil {
		err = json.Unmarshal(b, &want)
	}
	if err != nil {
		t.Fatal(err)
	}
	keys := func(v any) []string { return slices.Sorted(maps.Keys(v.(map[string]any))) }
	if !slices.Equal(keys(told), keys(want)) || !slices.Equal(keys(told["entry"]), keys(want["entry"])) {
		t.Errorf("webhooks.md has a body with %v and %v, it has %v and %v", keys(told), keys(told["entry"]), keys(want), keys(want["entry"]))
	}
}

// All events are told, and all fields of an endpoint.
func TestWebhooksAreAllDescribed(t *testing.T) {
	var told []string
	for _, row := range page(t, "webhooks.md").rows(2) {
		told = append(told, spans(row[0])...)
	}
	for _, e := range parley.HookEvents() {
		if !slices.Contains(told, string(e)) {
			t.Errorf("webhooks.md does not tell of %s", e)
		}
	}
	for name := range names(parley.Hook{}) {
		if !slices.Contains(told, name) {
			t.Errorf("webhooks.md does not describe %s", name)
		}
	}
	text := strings.Join(page(t, "webhooks.md").prose, " ")
	for _, span := range []string{"eight attempts in 24 hours and 21 minutes", "less than 24 hours old", "within 10 seconds"} {
		if !strings.Contains(text, span) {
			t.Errorf("webhooks.md does not say %q", span)
		}
	}
	if hooks.MaxAttempts != 8 || hooks.MaxAge != 24*time.Hour || hooks.AttemptTime != 10*time.Second {
		t.Error("webhooks.md tells another schedule")
	}
}
