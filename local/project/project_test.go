package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"parley/functions/operator"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/token"
)

// cloud is a stack parley-dev, whose operator function is the real one.
type cloud struct {
	store   *parley.Store
	address string   // of its distribution, if it has one
	asked   []string // the events
}

// newCloud has the process find the stack, and nothing of the machine's own account.
func newCloud(t *testing.T) *cloud {
	t.Helper()
	keys, err := token.New(token.Config{Masters: [][]byte{[]byte(strings.Repeat("k", token.MinMasterBytes))}})
	if err != nil {
		t.Fatal(err)
	}
	c := &cloud{store: parleytest.Store(t, parley.Config{Table: parleytest.Table(t), Derive: keys.Derive})}
	command := operator.Commands(c.store, keys)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("Action") != "DescribeStacks" || r.FormValue("StackName") != "parley-dev" {
			http.Error(w, "no such stack", http.StatusBadRequest)
			return
		}
		fmt.Fprint(w, `<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks><member><Outputs>`)
		for _, name := range []string{"Identify", "Hissuno", "Opencx", "Cossistant", "CossistantSocket", "ChathubSocket", "Operator"} {
			fmt.Fprintf(w, `<member><OutputKey>%sURL</OutputKey><OutputValue>https://%s.example/</OutputValue></member>`, name, strings.ToLower(name))
		}
		if c.address != "" {
			fmt.Fprintf(w, `<member><OutputKey>Address</OutputKey><OutputValue>%s</OutputValue></member>`, c.address)
		}
		fmt.Fprint(w, `<member><OutputKey>OperatorFunctionName</OutputKey><OutputValue>op</OutputValue></member></Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`)
	})
	mux.HandleFunc("POST /2015-03-31/functions/op/invocations", func(w http.ResponseWriter, r *http.Request) {
		event, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("X-Amz-Invocation-Type") != "RequestResponse" {
			t.Errorf("invoked with %v, %v", r.Header, err)
		}
		c.asked = append(c.asked, string(event))
		answer, err := command(r.Context(), event)
		if err != nil {
			answer = map[string]string{"errorMessage": err.Error(), "errorType": "Error"}
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_CLOUDFORMATION": server.URL, "AWS_ENDPOINT_URL_LAMBDA": server.URL, "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key",
		"AWS_REGION": "eu-west-1", "AWS_PROFILE": "", "AWS_CA_BUNDLE": "", "AWS_CONFIG_FILE": "/none", "AWS_SHARED_CREDENTIALS_FILE": "/none", "HOME": t.TempDir(),
	} {
		t.Setenv(name, value)
	}
	t.Chdir(t.TempDir())
	return c
}

// call runs the command with settings, each NAME=value.
func call(t *testing.T, settings ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	err := run(t.Context(), func(name string) string {
		for _, s := range settings {
			if value, ok := strings.CutPrefix(s, name+"="); ok {
				return value
			}
		}
		return ""
	}, &out)
	return out.String(), err
}

// TestFirstProject: one command makes a project whose keys work, tells all that one needs
// to go on, and leaves nothing behind on the machine.
func TestFirstProject(t *testing.T) {
	c := newCloud(t)
	said, err := call(t, "STACK=parley-dev", "ID=joes", "TITLE=Joe's \"Shop\" & more", "ORIGINS=https://joes.example, https://www.joes.example")
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.store.Settings(context.Background(), "joes")
	if err != nil || p.Project.Name != `Joe's "Shop" & more` || fmt.Sprint(p.Project.Origins) != "[https://joes.example https://www.joes.example]" {
		t.Errorf("the project is %+v, %v", p.Project, err)
	}
	key := p.Project.PublicKeys[0]
	for _, want := range []string{
		"public key, for your pages      " + key + "\n",
		"public key, for tests           " + p.Project.PublicKeys[1] + "\n",
		"  https://operator.example/console/\n",
		`const parley = "https://identify.example", key = "` + key + `";`,
		`apiUrl="https://hissuno.example/hissuno/chat" projectId="` + key + `"`,
		`apiUrl: "https://opencx.example", token: "` + key + `"`,
		`apiUrl="https://cossistant.example/cossistant/v1" wsUrl="https://cossistantsocket.example" publicKey="` + key + `"`,
		`withUrl("https://chathubsocket.example?agentId=joes.guide"`,
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %s:\n%s", want, said)
		}
	}
	private := after(t, said, "private key, for your server")
	if _, err := c.store.PrivateKeyOf(context.Background(), private); err != nil {
		t.Errorf("the private key %s: %v", private, err)
	}
	for _, secret := range []string{private, after(t, said, "signing secret, for your server")} {
		if strings.Count(said, secret) != 1 {
			t.Errorf("%s is said %d times: what is for the server may be in no line for a page", secret, strings.Count(said, secret))
		}
	}
	for _, folder := range []string{".", os.Getenv("HOME")} {
		if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
			t.Errorf("%s: %v is left behind, %v", folder, left, err)
		}
	}
}

// TestBehindDistribution: with a distribution the lines name its address alone.
func TestBehindDistribution(t *testing.T) {
	c := newCloud(t)
	c.address = "https://chat.joes.example"
	said, err := call(t, "STACK=parley-dev", "ID=joes")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"  https://chat.joes.example/console/\n", `const parley = "https://chat.joes.example", key`,
		`apiUrl="https://chat.joes.example/hissuno/chat"`, `apiUrl: "https://chat.joes.example", token`,
		`apiUrl="https://chat.joes.example/cossistant/v1" wsUrl="wss://chat.joes.example/cossistant/ws"`, `withUrl("https://chat.joes.example/hubs/chat?agentId=joes.guide"`} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %s:\n%s", want, said)
		}
	}
	for _, function := range []string{"identify", "operator", "hissuno", "opencx", "cossistant", "cossistantsocket", "chathubsocket"} {
		if strings.Contains(said, "https://"+function+".example") {
			t.Errorf("it names %s's own address:\n%s", function, said)
		}
	}
}

// after returns the word that follows a label.
func after(t *testing.T, text, label string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, label)
	words := strings.Fields(rest)
	if !found || len(words) == 0 {
		t.Fatalf("%q is not said: %s", label, text)
	}
	return words[0]
}

// TestCommands: any other command passes, with its answer as it is.
func TestCommands(t *testing.T) {
	c := newCloud(t)
	if _, err := call(t, "STACK=parley-dev", "ID=shop"); err != nil {
		t.Fatal(err)
	}
	said, err := call(t, "STACK=parley-dev", `COMMAND={"voidTokens": {"project": "shop"}}`)
	if err != nil || said != `{"project":"shop","generation":1}`+"\n" {
		t.Errorf("said %q, %v", said, err)
	}
	if want := `{"voidTokens": {"project": "shop"}}`; c.asked[len(c.asked)-1] != want {
		t.Errorf("asked for %s, want %s", c.asked[len(c.asked)-1], want)
	}
}

func TestRefused(t *testing.T) {
	newCloud(t)
	tests := []struct {
		name     string
		settings []string
		want     string
	}{
		{"no stack", nil, "STACK"},
		{"another stack", []string{"STACK=parley", "ID=shop"}, "the stack parley, which make deploy creates"},
		{"no project", []string{"STACK=parley-dev"}, "ID is not set"},
		{"no id", []string{"STACK=parley-dev", "ID=No Id"}, "id"},
		{"no website", []string{"STACK=parley-dev", "ID=shop", "ORIGINS=https://shop.example/help"}, "origin"},
		{"no JSON", []string{"STACK=parley-dev", "COMMAND={createProject}"}, "COMMAND is no JSON"},
		{"no command", []string{"STACK=parley-dev", `COMMAND={"drop": true}`}, "createProject"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if said, err := call(t, test.settings...); err == nil || !strings.Contains(err.Error(), test.want) || said != "" {
				t.Errorf("said %q, %v; want an error with %q", said, err, test.want)
			}
		})
	}
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	if _, err := call(t, "STACK=parley-dev", "ID=shop"); err == nil || !strings.Contains(err.Error(), "region") {
		t.Errorf("without a region: %v", err)
	}
}
