package deploytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/functions/identify"
	"parley/functions/operator"
	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/token"
)

// TestDeployment follows docs/deploying.md, command by command, in an account that moto
// stands in for: the release before is deployed and becomes this one, production is
// deployed, projects are made, all is removed. What the commands say of their outputs is
// taken for the next ones. It cannot show what only AWS knows, such as whether a right is
// enough.
func TestDeployment(t *testing.T) {
	a := newAccount(t)
	commands := a.commands("docs/deploying.md")

	a.template = "shared/lambdatest/deploytest/testdata/before.yaml"
	a.run("make deploy", "")
	before := a.resources("parley-dev")
	a.template = "template.yaml"
	a.run("make deploy ENV=dev", "")
	after := a.resources("parley-dev")
	a.kept(before, after)

	for _, command := range commands {
		switch {
		case strings.HasPrefix(command, "make sam-local"), strings.Contains(command, "http://127.0.0.1:3000"), strings.Contains(command, "$LAMBDA"):
			// On this machine and not in the account: sam local has a tour of its own.
		case command == "make deploy ENV=prod":
			if said := a.run(command, "y\n"); !strings.Contains(said, "Deploy this changeset?") {
				t.Errorf("%s does not ask: %s", command, said)
			}
			if got, want := a.kinds(a.resources("parley")), a.kinds(after); !maps.Equal(got, want) {
				t.Errorf("production has %v, development %v", got, want)
			}
		case strings.HasPrefix(command, "make project"):
			said := a.run(command, "")
			if m := regexp.MustCompile(`const parley = "(.*)", key = "(.*)"`).FindStringSubmatch(said); m != nil {
				a.set("KEY", m[2])
				for _, want := range []string{".lambda-url.us-east-1.on.aws/hissuno/chat", ".lambda-url.us-east-1.on.aws/console/", ".execute-api.us-east-1.amazonaws.com/live?agentId="} {
					if !strings.Contains(said, want) {
						t.Errorf("%s does not say …%s: %s", command, want, said)
					}
				}
			} else {
				t.Errorf("%s says %s", command, said)
			}
		case strings.HasPrefix(command, "curl "):
			if said := a.run(command, ""); !strings.Contains(said, `"`) || strings.Contains(said, `"error"`) {
				t.Errorf("%s answers %s", command, said)
			}
		case strings.HasPrefix(command, "aws "):
			a.run(command, "")
		case command == "sam delete --stack-name parley-dev":
			a.run(command, "y\ny\n")
			if said := a.fails("aws cloudformation describe-stack-resources --stack-name parley-dev"); !strings.Contains(said, "does not exist") {
				t.Errorf("after %s: %s", command, said)
			}
		default:
			t.Errorf("docs/deploying.md has a command that nobody has tried: %s", command)
		}
	}
}

// account is an account of AWS, and the shell of somebody who uses it.
type account struct {
	*testing.T
	python, cloud string
	folder        string // with what is on the path before all else
	template      string // what is deployed, from the root
	env           []string
}

// newAccount skips where moto or the SAM CLI is missing.
func newAccount(t *testing.T) *account {
	t.Helper()
	a := &account{T: t, folder: t.TempDir()}
	a.env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "AWS_") }) // of a real account
	a.python = a.tool(".cache/moto/bin/python", "moto")
	sam := a.tool(".cache/sam/bin/sam", "sam")
	a.cloud = a.path("shared/lambdatest/deploytest/testdata/cloud.py")
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
		"AWS_CONFIG_FILE": "/none", "AWS_SHARED_CREDENTIALS_FILE": "/none", "SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "1",
		"OPENAI_API_KEY": "sk-1", "PATH": a.folder + ":" + os.Getenv("PATH")} {
		a.set(name, value)
	}
	a.serve()
	a.function()
	// What is deployed is every function's release; here a script of a line takes its
	// place, for the test is of the template.
	a.write("code/bootstrap", "#!/bin/sh\n")
	a.write("aws", fmt.Sprintf("#!/bin/sh\nexec %s %s \"$@\"\n", a.python, a.path("shared/lambdatest/deploytest/testdata/aws.py")))
	a.write("sam", fmt.Sprintf("#!/bin/sh\ncase $1 in\nbuild) ;;\ndeploy) exec %s \"$@\" --template-file \"$TEMPLATE\" --config-file \"$PWD/samconfig.toml\" ;;\n*) exec %[1]s \"$@\" ;;\nesac\n", sam))
	return a
}

func (a *account) path(name string) string {
	a.Helper()
	path, err := filepath.Abs(filepath.Join(root, name))
	if err != nil {
		a.Fatal(err)
	}
	return path
}

func (a *account) tool(name, script string) string {
	a.Helper()
	if _, err := os.Stat(filepath.Join(root, name)); err != nil {
		if os.Getenv("CI") == "true" {
			a.Fatal(err)
		}
		a.Skipf("%s is missing; .ci/tools/%s installs it", name, script)
	}
	return a.path(name)
}

func (a *account) write(name, text string) {
	a.Helper()
	path := filepath.Join(a.folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		a.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		a.Fatal(err)
	}
}

func (a *account) set(name, value string) {
	a.env = append(slices.DeleteFunc(a.env, func(s string) bool { return strings.HasPrefix(s, name+"=") }), name+"="+value)
}

// serve starts what stands in for AWS.
func (a *account) serve() {
	a.Helper()
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		a.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		a.Fatal(err)
	}
	address := fmt.Sprint("http://localhost:", port) // moto finds a template by no other name of this host
	a.set("AWS_ENDPOINT_URL", address)
	a.set("AWS_ENDPOINT_URL_CLOUDFORMATION", address)
	var said bytes.Buffer
	cmd := exec.Command(a.python, a.cloud, fmt.Sprint(port))
	cmd.Env, cmd.Stderr = a.env, &said
	if err := cmd.Start(); err != nil {
		a.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	a.Cleanup(func() {
		_ = cmd.Process.Kill() // an error means that it has ended
		<-ended
		if a.Failed() {
			a.Logf("moto said: %s", &said)
		}
	})
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if r, err := http.Get(address); err == nil {
			_, _ = io.Copy(io.Discard, r.Body)
			r.Body.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			a.Fatalf("moto ended: %v\n%s", err, &said)
		default:
		}
		if time.Now().After(deadline) {
			a.Fatalf("moto does not begin to serve: %s", &said)
		}
	}
}

// function answers invocations with the real operator function, and the address of
// identify with that one.
func (a *account) function() {
	a.Helper()
	keys, err := token.New(token.Config{Masters: [][]byte{[]byte(strings.Repeat("k", token.MinMasterBytes))}})
	if err != nil {
		a.Fatal(err)
	}
	store := parleytest.Store(a, parley.Config{Table: parleytest.Table(a), Derive: keys.Derive})
	calls, err := api.New(api.Config{Store: store, Keys: keys, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		a.Fatal(err)
	}
	mux := http.NewServeMux()
	configs := identify.New(calls)
	mux.Handle("/", configs)
	command := operator.Commands(store, keys)
	mux.HandleFunc("POST /2015-03-31/functions/{name}/invocations", func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.PathValue("name"), "-OperatorFunction-") {
			a.Errorf("%s is invoked", r.PathValue("name"))
		}
		event, err := io.ReadAll(r.Body)
		if err != nil {
			a.Error(err)
		}
		answer, err := command(r.Context(), event)
		if err != nil {
			answer = map[string]string{"errorMessage": err.Error()}
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			a.Error(err)
		}
	})
	server := httptest.NewServer(mux)
	a.Cleanup(server.Close)
	a.set("AWS_ENDPOINT_URL_LAMBDA", server.URL)
	a.set("IDENTIFY_URL", server.URL)
}

// commands are the lines of the article's blocks for a shell.
func (a *account) commands(article string) (lines []string) {
	a.Helper()
	text, err := os.ReadFile(filepath.Join(root, article))
	if err != nil {
		a.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllSubmatch(text, -1) {
		joined := strings.ReplaceAll(string(block[1]), "\\\n", "")
		lines = append(lines, strings.Split(strings.TrimSpace(joined), "\n")...)
	}
	if len(lines) < 6 {
		a.Fatalf("%s has the commands %q", article, lines)
	}
	return lines
}

// shell runs a command at the root of the repository, with a template whose functions
// are made of a script.
func (a *account) shell(command, input string) (string, error) {
	a.Helper()
	if a.template != "" {
		text, err := os.ReadFile(filepath.Join(root, a.template))
		if err != nil {
			a.Fatal(err)
		}
		a.write("template.yaml", strings.Replace(string(text), "    CodeUri: .\n", "    CodeUri: "+filepath.Join(a.folder, "code")+"\n", 1))
	}
	cmd := exec.Command("bash", "-c", command)
	cmd.Dir, cmd.Stdin = root, strings.NewReader(input)
	cmd.Env = append(slices.Clone(a.env), "TEMPLATE="+filepath.Join(a.folder, "template.yaml"))
	said, err := cmd.CombinedOutput()
	return string(said), err
}

func (a *account) run(command, input string) string {
	a.Helper()
	began := time.Now()
	said, err := a.shell(command, input)
	if err != nil {
		a.Fatalf("%s: %v\n%s", command, err, said)
	}
	a.Logf("%4.1f s  %s", time.Since(began).Seconds(), command)
	return said
}

func (a *account) fails(command string) string {
	a.Helper()
	said, err := a.shell(command, "")
	if err == nil {
		a.Errorf("%s succeeds: %s", command, said)
	}
	return said
}

// made is a resource of a stack.
type made struct{ LogicalResourceId, PhysicalResourceId, ResourceType string }

func (a *account) resources(stack string) map[string]made {
	a.Helper()
	var answer struct{ StackResources []made }
	said := a.run("aws cloudformation describe-stack-resources --stack-name "+stack, "")
	if err := json.Unmarshal([]byte(said), &answer); err != nil {
		a.Fatalf("%v: %s", err, said)
	}
	byName := map[string]made{}
	for _, r := range answer.StackResources {
		byName[r.LogicalResourceId] = r
	}
	return byName
}

func (a *account) kinds(resources map[string]made) map[string]int {
	n := map[string]int{}
	for _, r := range resources {
		n[r.ResourceType]++
	}
	return n
}

// kept fails if an update replaced what holds data, or what clients know the address of.
func (a *account) kept(before, after map[string]made) {
	a.Helper()
	if len(before) < 100 || len(after) < 100 {
		a.Fatalf("%d resources became %d", len(before), len(after))
	}
	for name, was := range before {
		is, there := after[name]
		switch was.ResourceType {
		case "AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup", "AWS::Lambda::Url", "AWS::ApiGatewayV2::Api":
			if !there || is.PhysicalResourceId != was.PhysicalResourceId {
				a.Errorf("the update made %v of %v", is, was)
			}
		}
	}
}
